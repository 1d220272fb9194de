//! What names of fields mean: the names that shops, trackers and published data sets use for each part of an event, with
//! weights up to 100.

use super::mapping::Role;
use super::place::Place;

type Names = &'static [(&'static str, usize)];

/// In lower case, letters and digits only.
const TIME: Names = &[
    ("timestamp", 100),
    ("eventtimestamp", 100),
    ("eventtime", 98),
    ("occurredat", 97),
    ("eventat", 97),
    ("ts", 95),
    ("happenedat", 95),
    ("clickedat", 90),
    ("viewedat", 90),
    ("derivedtstamp", 90),
    ("datetime", 88),
    ("eventdatetime", 95),
    ("createdat", 85),
    ("created", 80),
    ("time", 85),
    ("tstamp", 85),
    ("collectortstamp", 80),
    ("originaltimestamp", 80),
    ("unixtime", 80),
    ("loggedat", 75),
    ("servertime", 70),
    ("when", 70),
    ("epoch", 70),
    ("at", 65),
    ("eventdate", 65),
    ("tsms", 60),
    ("sentat", 60),
    ("date", 60),
    ("day", 50),
    ("receivedat", 55),
    ("viewtime", 50),
    ("updatedat", 40),
    ("ingestedat", 35),
];
const SESSION: Names = &[
    ("sessionid", 100),
    ("usersession", 97),
    ("session", 95),
    ("domainsessionid", 95),
    ("usersessionid", 95),
    ("gasessionid", 92),
    ("sessid", 90),
    ("sessionkey", 90),
    ("sessionuuid", 90),
    ("sid", 85),
    ("visitid", 85),
    ("visit", 70),
];
const USER: Names = &[
    ("userpseudoid", 96),
    ("anonymousid", 94),
    ("domainuserid", 92),
    ("visitorid", 92),
    ("fullvisitorid", 92),
    ("userid", 90),
    ("customerid", 88),
    ("clientid", 86),
    ("uid", 80),
    ("visitor", 80),
    ("user", 78),
    ("customer", 75),
    ("memberid", 75),
    ("cookieid", 75),
    ("cookie", 74),
    ("personid", 75),
    ("shopperid", 75),
    ("accountid", 70),
    ("deviceid", 70),
    ("networkuserid", 65),
    ("guestid", 60),
    ("distinctid", 80),
    ("who", 50),
    ("login", 70),
];
const ITEM: Names = &[
    ("itemid", 100),
    ("productid", 98),
    ("sku", 90),
    ("articleid", 88),
    ("productsku", 86),
    ("itemsku", 86),
    ("aid", 85),
    ("contentids", 85),
    ("contentid", 80),
    ("asin", 88),
    ("item", 80),
    ("product", 75),
    ("goodsid", 80),
    ("objectids", 72),
    ("objectid", 70),
    ("variantid", 70),
    ("productcode", 80),
    ("offerid", 60),
    ("movieid", 70),
    ("trackid", 65),
    ("songid", 70),
    ("newsid", 70),
    ("iid", 75),
    ("pid", 60),
    ("pageid", 50),
    ("articleno", 88),
    ("articlenumber", 88),
    ("artno", 86),
    ("itemno", 86),
    ("productno", 86),
    ("productnumber", 86),
    ("ean", 80),
    ("gtin", 80),
    ("isbn", 80),
];
const KIND: Names = &[
    ("eventtype", 100),
    ("eventname", 98),
    ("event", 92),
    ("eventaction", 90),
    ("action", 86),
    ("behaviortype", 86),
    ("behaviourtype", 86),
    ("interactiontype", 84),
    ("type", 80),
    ("actiontype", 86),
    ("behavior", 80),
    ("behaviour", 80),
    ("interaction", 78),
    ("activitytype", 78),
    ("activity", 72),
    ("kind", 75),
    ("verb", 70),
    ("seaction", 70),
    ("operation", 40),
    ("what", 40),
    ("op", 20),
    ("name", 50),
];
const EVENT_ID: Names = &[
    ("eventid", 100),
    ("messageid", 92),
    ("evtid", 92),
    ("insertid", 85),
    ("eventuuid", 90),
    ("hitid", 80),
    ("uuid", 70),
    ("guid", 65),
    ("id", 50),
];
const PRICE: Names = &[
    ("price", 100),
    ("unitprice", 95),
    ("itemprice", 95),
    ("amount", 60),
    ("revenue", 50),
];
const QUANTITY: Names = &[("quantity", 100), ("qty", 95), ("units", 60)];
const POSITION: Names = &[
    ("position", 100),
    ("pos", 90),
    ("sequence", 70),
    ("seq", 70),
    ("step", 60),
];
/// Names of this length are recognized at the end of longer ones, too.
const LONG: usize = 6;
/// By how much less `product.id` weighs than `product_id`.
const PART: usize = 3;
/// Other words for an id: `visit_ref` means `visit_id`. They weigh less, by the number below.
const IDS: [&str; 6] = ["ref", "key", "uuid", "guid", "hash", "token"];
const OTHER_ID: usize = 8;

/// How much the name of a place says that it has this role, up to 100.
pub(super) fn weight(role: Role, place: &Place) -> usize {
    let names = names(role);
    let exactly = |name: &str| {
        let known = names.iter().find(|(known, _)| *known == name);
        known.map(|(_, weight)| *weight)
    };
    let of = |name: &str| {
        let of_id = || {
            let stem = IDS.iter().find_map(|id| name.strip_suffix(id))?;
            exactly(&format!("{stem}id")).map(|weight| weight - OTHER_ID)
        };
        exactly(name).or_else(of_id)
    };
    let name = plain(place.name());
    let with_parent = place.parent().map(|parent| {
        let parent = plain(parent);
        [format!("{parent}{name}"), format!("{}{name}", singular(&parent))]
    });
    let with_parent = with_parent.iter().flatten().filter_map(|name| of(name)).max();
    // The whole name of a field tells more than what it is a part of.
    let with_parent = with_parent.map(|weight| weight - PART);
    // `evt_item_id`, but not for the short names, at which many words end.
    let at_end = names
        .iter()
        .filter(|(known, _)| known.len() >= LONG && name.ends_with(known));
    let at_end = at_end.map(|(_, weight)| weight * 7 / 10).max();
    [of(&name), with_parent, at_end]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or_default()
}

fn names(role: Role) -> Names {
    match role {
        Role::Time => TIME,
        Role::Session => SESSION,
        Role::User => USER,
        Role::Item => ITEM,
        Role::Kind => KIND,
        Role::EventId => EVENT_ID,
        Role::Price => PRICE,
        Role::Quantity => QUANTITY,
        Role::Position => POSITION,
    }
}

/// `user_id`, `userId` and `User ID` are the same.
pub(super) fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn singular(name: &str) -> &str {
    name.strip_suffix('s').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognized_however_they_are_written() {
        for (role, place, expected) in [
            (Role::User, "userId", 90),
            (Role::User, "User-ID", 90),
            (Role::User, "user.id", 87),
            (Role::Item, "properties.product_id", 98),
            (Role::Item, "products[].id", 95),
            (Role::Item, "line_items[].product.id", 95),
            (Role::Item, "content_ids[]", 85),
            (Role::Item, "evt_item_id", 70),
            (Role::Item, "category_id", 0),
            (Role::Session, "user_session", 97),
            (Role::Session, "context.sessionId", 100),
            (Role::Time, "payload.after.created_at", 85),
            (Role::Time, "timeframe", 0),
            (Role::Kind, "event.type", 97),
            (Role::Kind, "products[].event_type", 100),
            (Role::EventId, "id", 50),
            (Role::Session, "visit.ref", 74),
            (Role::User, "customer_key", 80),
            (Role::User, "visitor.cookie", 74),
            (Role::Item, "ref", 0),
            (Role::Price, "price", 100),
        ] {
            assert_eq!(weight(role, &Place::parse(place)), expected, "{place}");
        }
    }

    #[test]
    fn no_name_is_listed_twice() {
        for role in Role::ALL {
            let mut listed: Vec<&str> = names(role).iter().map(|(name, _)| *name).collect();
            assert!(listed.iter().all(|name| plain(name) == *name), "{role:?}");
            listed.sort_unstable();
            listed.dedup();
            assert_eq!(listed.len(), names(role).len(), "{role:?}");
        }
    }
}
