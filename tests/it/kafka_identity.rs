//! A topic with an old name is not the old topic: Kafka gives each its own identity.

use crate::broker::Broker;
use crate::kafka_real::numbered;
use crate::kafka_shop::KafkaShop;

#[test]
fn a_recreated_topic_is_refused_also_where_it_holds_more_than_was_read() {
    let Some(broker) = Broker::shared("a_recreated_topic_is_refused_also_where_it_holds_more_than_was_read") else {
        return;
    };
    let topic = broker.topic("anew", 3, &[]);
    let shop = KafkaShop::new(&topic);
    topic.send(numbered(0..90, 3));
    shop.ok(&["run"]);
    topic.delete();
    topic.create(2, &[]);
    topic.send(numbered(1_000..1_300, 2));
    for _ in 0..2 {
        let log = shop.fails(&["run"]);
        assert!(
            log.contains("deleted and recreated") && log.contains("--accept-loss"),
            "{log}"
        );
    }
    assert_eq!(shop.bronze().len(), 90);

    // The old topic's offsets mean nothing for the new one, which is read from its beginning.
    shop.ok(&["run", "--accept-loss"]);
    assert_eq!(shop.shop.number("select count(*) from bronze.clicks"), 390);
    // Nor for a partition that only the old one had, when it is added again.
    topic.grow(3);
    topic.send(numbered(2_000..2_030, 3));
    shop.ok(&["run"]);
    assert_eq!(shop.shop.number("select count(*) from bronze.clicks"), 420);
    assert_eq!(shop.shop.number("select count(*) from silver.events"), 420);

    shop.ok(&["run", "--full-refresh", "--select", "bronze.clicks+"]);
    shop.assert_holds_the_topic();
}
