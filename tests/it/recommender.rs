//! Recommendations for a session: the blend, the shop's rules, and explanations.

use std::sync::OnceLock;

use serde_json::Value;

use crate::saved::Saved;
use crate::support::Shop;

pub fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::once(&RUN, || {
        let shop = Shop::new();
        // The shop is small: with as many dimensions as items that are alike, every item would have its own.
        shop.edit("sql/gold/als_factors.sql", "64", "16");
        shop.produce("1.json", 8_000, 6, 0.0);
        shop.ok(&["run"]);
        shop
    })
}

fn recommended(shop: &Shop, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["recommend", "--json"].iter().chain(args).copied().collect();
    let found: Value = serde_json::from_str(&shop.ok(&args)).unwrap();
    found.as_array().unwrap().clone()
}

fn items(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["item_id"].as_str().unwrap()).collect()
}

#[test]
fn table_and_command_agree_for_every_session_asked() {
    let shop = shop();
    for session in ["sess_5", "sess_40", "sess_77"] {
        let listed = shop.rows(&format!(
            "select item_id from gold.recommendations where session_id = '{session}' order by rank"
        ));
        assert_eq!(items(&recommended(&shop, &["--session", session])), listed);
    }
    let rows = recommended(&shop, &["--items", "prod_1,prod_21", "-k", "4"]);
    let mut last = f64::INFINITY;
    for row in &rows {
        let number = |name: &str| row[name].as_f64().unwrap();
        let sum = number("session_knn") + number("als") + number("popularity");
        assert!((sum - number("score")).abs() < 1e-9, "the parts add up: {row}");
        assert!(number("score") <= last, "best first");
        last = number("score");
    }
    assert_eq!(rows.len(), 4);
}

/// The most digits that a fraction in a text has.
fn decimals(text: &str) -> usize {
    let digits = text.split('.').skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        end.unwrap_or(rest.len())
    });
    digits.max().unwrap_or(0)
}

#[test]
fn scores_are_short_for_people_and_exact_for_programs() {
    let shop = shop();
    for args in [
        &["recommend", "--session", "sess_5", "-k", "3"][..],
        &["recommend", "--items", "prod_1,prod_21", "-k", "3", "--explain"],
        &["similar", "prod_1", "-k", "3"],
    ] {
        let table = shop.ok(args);
        assert_eq!(decimals(&table), 4, "{table}");
        let json = shop.ok(&[args, &["--json"]].concat());
        assert!(decimals(&json) > 5, "{json}");
    }
}

#[test]
fn each_model_can_be_chosen_alone() {
    let shop = shop();
    let ask = |vars: &[&str]| {
        let args: Vec<&str> = ["--items", "prod_1,prod_21", "-k", "5"]
            .iter()
            .chain(vars)
            .copied()
            .collect();
        recommended(&shop, &args)
    };
    let als = ask(&["--var", "session_knn=0", "--var", "als=1"]);
    assert!(
        als.iter()
            .all(|row| row["session_knn"] == 0.0 && row["als"].as_f64().unwrap() > 0.0),
        "{als:?}"
    );
    let alone = shop.rows(
        "select item_id from recommend(gold.als_factors, (select 's' as s, column1 as item_id from (values ('prod_1'), \
         ('prod_21'))), user => s, item => item_id, k => 5) order by rank",
    );
    assert_eq!(items(&als), alone);
    let knn = ask(&["--var", "als=0"]);
    assert!(knn.iter().all(|row| row["als"] == 0.0) && items(&knn) != items(&als));
}

#[test]
fn a_session_of_unknown_items_gets_what_is_popular_and_is_told() {
    let shop = shop();
    let output = shop.run(&["recommend", "--items", "nothing,at all", "-k", "3", "--json"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && error.contains("no model knows any of the session's items"),
        "{error}"
    );
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let popular = shop.rows("select item_id from gold.item_popularity order by rank limit 3");
    assert_eq!(items(rows.as_array().unwrap()), popular);
}

#[test]
fn reasons_name_the_items_that_speak_for_a_recommendation() {
    let shop = shop();
    // 300 items in 20 categories: item n is in category n mod 20, and sessions stay in one category.
    let rows = recommended(&shop, &["--items", "prod_1,prod_22", "-k", "6", "--explain"]);
    let mut of_one_kind = 0;
    for row in &rows {
        let item = row["item_id"].as_str().unwrap();
        let because = row["because"].as_str().unwrap();
        let category = item[5..].parse::<u32>().unwrap() % 20;
        let expected = match category {
            1 => "prod_1 ",
            2 => "prod_22 ",
            _ => continue,
        };
        assert!(because.starts_with(expected), "{item} because of {because}");
        of_one_kind += 1;
    }
    assert!(of_one_kind >= 4, "{rows:?}");
    let one = recommended(&shop, &["--items", "prod_1", "-k", "1", "--explain"]);
    assert_eq!(one[0]["because"], "prod_1 (100%)");
}

#[test]
fn the_shops_rules_are_kept_in_the_table_and_in_answers() {
    let shop = shop();
    let best = recommended(&shop, &["--items", "prod_1", "-k", "1"]);
    let hidden = items(&best)[0].to_owned();
    shop.edit(
        "sql/gold/item_rules.sql",
        "(values ('prod_7', 'shoes', true)) as rules (item_id, category, is_shown)\nwhere false",
        &format!(
            "(select item_id, 'of ' || cast(cast(substr(item_id, 6) as int) % 20 as varchar) as category, item_id <> \
             '{hidden}' as is_shown from gold.item_popularity)"
        ),
    );
    shop.ok(&["run", "--var", "max_per_category=2"]);
    let count = |sql: &str| shop.number(sql);
    assert_eq!(
        count(&format!(
            "select count(*) from gold.recommendations where item_id = '{hidden}'"
        )),
        0
    );
    let crowded = "select count(*) from (select session_id, cast(substr(item_id, 6) as int) % 20 as category from \
                   gold.recommendations group by 1, 2 having count(*) > 2)";
    assert_eq!(count(crowded), 0, "at most two of a category");
    assert!(!items(&recommended(&shop, &["--items", "prod_1"])).contains(&hidden.as_str()));

    let rare =
        "select count(*) from gold.recommendations r join gold.item_popularity p using (item_id) where p.sessions < 12";
    assert!(count(rare) > 0);
    shop.ok(&["run", "--var", "min_sessions=12"]);
    assert_eq!(count(rare), 0);
}

#[test]
fn seen_items_are_hidden_shown_or_hidden_once_purchased() {
    let shop = shop();
    let seen = "select count(*) from gold.recommendations r join gold.session_items i on r.session_id = i.session_id and \
                r.item_id = i.item_id";
    let purchased = format!("{seen} where i.purchases > 0");
    assert_eq!(shop.number(seen), 0);
    shop.ok(&["run", "--var", "seen=hide_purchased"]);
    assert!(shop.number(seen) > 0 && shop.number(&purchased) == 0);
    shop.ok(&["run", "--var", "seen=show"]);
    assert!(shop.number(&purchased) > 0);
    let rows = recommended(&shop, &["--items", "prod_1", "--include-seen"]);
    assert!(items(&rows).contains(&"prod_1"));
}

#[test]
fn training_goes_on_from_the_last_model_and_says_how_it_learned() {
    let shop = Shop::new();
    shop.edit(
        "sql/gold/als_factors.sql",
        "seed => 42",
        "seed => 42, warm_start => 'gold.als_factors'",
    );
    shop.produce("1.json", 8_000, 6, 0.0);
    let learned = |args: &[&str]| {
        let steps = ["run", "--select", "gold.als_factors", "--select", "gold.model"];
        shop.ok(&[&steps[..], args].concat());
        let row = shop
            .rows("select model_version, data_version, iterations, loss from gold.model")
            .remove(0);
        row.split(',').map(|value| value.parse().unwrap()).collect::<Vec<f64>>()
    };
    shop.ok(&["run", "--var", "iterations=12"]);
    let first = learned(&["--var", "iterations=12"]);
    // The same data and one iteration: starting from the last model, and from scratch.
    let warm = learned(&["--var", "iterations=1"]);
    let cold = learned(&["--var", "iterations=1", "--full-refresh"]);
    assert_eq!(
        [&first, &warm, &cold].map(|row| row[..3].to_vec()),
        [vec![0.0, 0.0, 12.0], vec![1.0, 0.0, 1.0], vec![2.0, 0.0, 1.0]]
    );
    assert!(
        warm[3] <= first[3] * 1.001 && cold[3] > warm[3] * 1.01,
        "{first:?} {warm:?} {cold:?}"
    );
}

#[test]
fn only_sessions_with_new_clicks_get_new_lists() {
    let shop = shop();
    let before = shop.number("select count(*) from gold.recommendations");
    shop.produce("2.json", 100, 9, 0.0);
    let steps = shop.run_steps();
    let step = steps.iter().find(|row| row["step"] == "gold.recommendations").unwrap();
    let written = step["rows_written"].as_i64().unwrap();
    assert!(
        step["result"] != "rebuilt" && written > 0 && written * 10 < before,
        "{step}"
    );
}
