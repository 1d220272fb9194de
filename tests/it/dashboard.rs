//! The page in a real browser: every panel, the filters, the playground, an empty lake and a broken one.

use std::collections::BTreeSet;
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::browser::{Tab, with_tab};
use crate::clustering::Cluster;
use crate::saved::Saved;
use crate::serving::Server;
use crate::support::Shop;

const PANELS: [&str; 8] = [
    "session",
    "playground",
    "popular",
    "active-sessions",
    "engagement",
    "funnel",
    "model",
    "pipeline",
];

fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::after_events(&RUN, 20_000, 7, 0.05)
}

/// The page without a time range.
fn everything(server: &Server) -> String {
    format!("http://{}/?range=all", server.address)
}

async fn wait_for_all(tab: &Tab, state: &str) {
    for panel in PANELS {
        tab.wait_for(panel, state).await;
    }
}

#[test]
fn every_panel_shows_what_the_lake_holds() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab("every_panel_shows_what_the_lake_holds", async |tab| {
        tab.goto(&everything(&server)).await;
        wait_for_all(&tab, "ready").await;
        // The most active session, and its recommendations.
        let most = &shop
            .rows("select session_id from gold.sessions order by events desc, ended_at desc, session_id limit 1")[0];
        assert_eq!(tab.text("#session .session-name").await, *most);
        let items = shop.rows(&format!(
            "select item_id from gold.recommendations where session_id = '{most}' order by rank"
        ));
        assert_eq!(tab.texts("#session [data-testid=recommendation] .item").await, items);
        let because = tab.text("#session [data-testid=recommendation] .because").await;
        assert!(because.starts_with("because of "), "{because}");
        let clicks = shop.number(&format!(
            "select count(*) from silver.events where session_id = '{most}'"
        ));
        assert_eq!(tab.texts("#session [data-testid=click]").await.len() as i64, clicks);

        let sessions = shop.number("select count(*) from gold.sessions");
        let said = tab.text("#engagement").await.replace(',', "");
        assert!(said.contains(&sessions.to_string()), "{sessions}: {said}");
        tab.wait("document.querySelector('#engagement canvas')").await;
        let bought = shop.number("select count(*) from gold.sessions where purchases > 0");
        assert!(tab.text("#funnel").await.replace(',', "").contains(&bought.to_string()));
        assert!(tab.text("#model").await.contains("64"));
        let pipeline = tab.text("#pipeline").await;
        for word in ["silver.events", "gold.als_factors", "clicks"] {
            assert!(pipeline.contains(word), "{word}: {pipeline}");
        }
        let reason = &shop
            .rows("select reason from silver.quarantine group by reason order by count(*) desc, reason limit 1")[0];
        assert!(pipeline.contains(reason.as_str()), "{reason}: {pipeline}");
        assert!(
            pipeline.contains("accepted + ") && pipeline.contains(" repeated + "),
            "{pipeline}"
        );
        tab.picture("dashboard.png").await;
        tab.prefer("dark").await;
        tab.picture("dashboard-dark.png").await;
        tab
    });
}

#[test]
fn sessions_are_found_by_their_names_and_items_have_others_like_them() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab(
        "sessions_are_found_by_their_names_and_items_have_others_like_them",
        async |tab| {
            tab.goto(&everything(&server)).await;
            wait_for_all(&tab, "ready").await;
            let other = &shop.rows("select session_id from gold.sessions order by events, session_id limit 1")[0];
            tab.click("#session-search").await;
            tab.type_into("#session-search", other).await;
            tab.wait(&format!(
                "document.querySelector('#session-search-list [role=option]')?.innerText.startsWith({other:?})"
            ))
            .await;
            tab.press("#session-search", "ArrowDown").await;
            tab.press("#session-search", "Enter").await;
            tab.wait("location.search.includes('session=')").await;
            tab.wait(&format!(
                "document.querySelector('#session .session-name')?.innerText === {other:?}"
            ))
            .await;

            // A row in the table of active sessions leads there too, and back again.
            let before: String = tab.value("location.search").await;
            tab.click("#active-sessions [data-testid=active-session] button").await;
            tab.wait(&format!("location.search !== {before:?}")).await;
            tab.run("history.back()").await;
            tab.wait(&format!("location.search === {before:?}")).await;
            tab.wait(&format!(
                "document.querySelector('#session .session-name').innerText === {other:?}"
            ))
            .await;

            tab.click("#popular [data-testid=popular-item] button").await;
            tab.wait("document.getElementById('similar').open").await;
            tab.wait("document.querySelectorAll('#similar [data-testid=similar-item]').length === 10")
                .await;
            tab.press("#similar button[data-close]", "Escape").await;
            tab.wait("!document.getElementById('similar').open").await;
            tab
        },
    );
}

#[test]
fn filters_are_in_the_address_and_count_what_they_say() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab("filters_are_in_the_address_and_count_what_they_say", async |tab| {
        let base = format!("http://{}/", server.address);
        tab.goto(&everything(&server)).await;
        wait_for_all(&tab, "ready").await;
        let title = "document.getElementById('popular-title').innerText";
        tab.run(
            "[...document.querySelectorAll('#filter-type label')].find((l) => /purchase/i.test(l.innerText)).click()",
        )
        .await;
        tab.wait("location.search.includes('event_type=purchase')").await;
        tab.wait(&format!("/bought|purchas/i.test({title})")).await;
        let top = &shop.rows("select item_id from gold.item_activity group by item_id having sum(purchases) > 0 order by sum(purchases) desc, item_id limit 1")[0];
        tab.wait(&format!(
            "document.querySelector('#popular [data-testid=popular-item]').innerText.includes({top:?})"
        ))
        .await;

        // A link with a range: its counts match those of SQL.
        let day = &shop.rows("select min(day) from gold.engagement")[0];
        let next = &shop.rows("select min(day) + interval '1 day' from gold.engagement")[0][..10].to_owned();
        tab.goto(&format!("{base}?from={day}T00:00:00Z&to={next}T00:00:00Z"))
            .await;
        wait_for_all(&tab, "ready").await;
        let sessions = shop.number(&format!(
            "select sum(sessions) from gold.engagement where day = '{day}'"
        ));
        tab.wait(&format!(
            "document.getElementById('engagement').innerText.replaceAll(',', '').includes('{sessions}')"
        ))
        .await;
        let bought = shop.number(&format!(
            "select sum(sessions_with_purchases) from gold.engagement where day = '{day}'"
        ));
        tab.wait(&format!(
            "document.getElementById('funnel').innerText.replaceAll(',', '').includes('{bought}')"
        ))
        .await;
        tab
    });
}

#[test]
fn the_playground_follows_every_click() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab("the_playground_follows_every_click", async |tab| {
        tab.goto(&everything(&server)).await;
        tab.wait_for("playground", "ready").await;
        let list = "[...document.querySelectorAll('#playground [data-testid=recommendation] .item')].map((e) => e.innerText).join()";
        tab.click("#playground [data-testid=chip]").await;
        tab.wait("document.querySelectorAll('#playground [data-testid=recommendation]').length === 10")
            .await;
        let first: String = tab.value(list).await;
        let clicked = tab.texts("#playground [data-testid=made-click] .bar-name").await;
        let said = shop.ok(&["recommend", "--items", &clicked[0], "--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let items: Vec<&str> = said
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["item_id"].as_str().unwrap())
            .collect();
        assert_eq!(first, items.join(","));

        tab.click("#playground [data-testid=recommendation]:nth-child(3) .item")
            .await;
        tab.wait("document.querySelectorAll('#playground [data-testid=made-click]').length === 2")
            .await;
        tab.wait(&format!("{list} !== {first:?}")).await;
        tab.wait("document.querySelector('#playground [data-testid=playground-result]').getAttribute('aria-busy') === 'false'").await;
        let said = tab.text("#playground .recommendations").await;
        assert!(tab.text("#playground [data-testid=answer-time]").await.contains(" ms"));
        tab.run(
            "(() => { const s = document.querySelector('#playground [data-testid=made-click]:last-child select'); s.value = 'purchase'; \
             s.dispatchEvent(new Event('change', { bubbles: true })); })()",
        )
        .await;
        // Adding a purchase of the second item changes the list or the scores.
        tab.wait(&format!(
            "document.querySelector('#playground .recommendations').innerText !== {said:?}"
        ))
        .await;
        tab.picture("playground.png").await;
        tab.click("#playground [data-testid=clear]").await;
        tab.wait("document.querySelectorAll('#playground [data-testid=recommendation]').length === 0")
            .await;
        tab
    });
}

#[test]
fn the_page_follows_commits() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab("the_page_follows_commits", async |tab| {
        tab.goto(&everything(&server)).await;
        wait_for_all(&tab, "ready").await;
        tab.wait("document.getElementById('live').dataset.live === 'connected'")
            .await;
        shop.produce("more.json", 3_000, 9, 0.0);
        shop.ok(&["run"]);
        let sessions = shop.number("select count(*) from gold.sessions");
        tab.wait(&format!(
            "document.getElementById('engagement').innerText.replaceAll(',', '').includes('{sessions}')"
        ))
        .await;
        tab
    });
}

#[test]
fn a_cluster_shows_its_executors_and_its_jobs() {
    let shop = Shop::new();
    shop.produce("events.json", 3_000, 7, 0.05);
    let cluster = Cluster::start(&shop, &[], 2);
    let engine = cluster.engine();
    shop.ok(&["run", "--engine", &engine]);
    let server = Server::start(&shop, &["--engine", &engine]);
    // While a job is running, and once it is done.
    let training = [
        "run",
        "--engine",
        &engine,
        "--full-refresh",
        "--select",
        "gold.als_factors",
        "--var",
        "iterations=400",
    ];
    let mut training = shop.start(&training);
    let give_up = Instant::now() + Duration::from_secs(60);
    let runs = |job: &serde_json::Value| job["step"] == "gold.als_factors" && job["outcome"] == "running";
    loop {
        let told = server.get("/api/v1/cluster").json();
        let jobs = told["state"]["jobs"].as_array().unwrap();
        if let Some(job) = jobs.iter().find(|job| runs(job)) {
            assert!(
                job["stages"].as_u64().unwrap() > job["stages_done"].as_u64().unwrap(),
                "{job}"
            );
            break;
        }
        assert!(Instant::now() < give_up, "no job runs: {told}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(training.wait().unwrap().success());
    let told = server.get("/api/v1/cluster").json();
    assert_eq!(told["scheduler"], cluster.address);
    assert_eq!(told["state"]["executors"].as_array().unwrap().len(), 2);
    let jobs = told["state"]["jobs"].as_array().unwrap();
    let steps: Vec<&str> = jobs.iter().map(|job| job["step"].as_str().unwrap()).collect();
    for step in ["bronze.clicks", "silver.events", "gold.recommendations"] {
        assert!(steps.contains(&step), "{step}: {steps:?}");
    }
    let ids: BTreeSet<&str> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), jobs.len(), "each once: {jobs:?}");
    assert!(
        jobs.iter()
            .all(|job| job["outcome"] == "done" && job["seconds"].is_f64()),
        "{jobs:?}"
    );

    let here = Server::start(&shop, &[]);
    assert!(here.get("/api/v1/cluster").json()["scheduler"].is_null());
    with_tab("a_cluster_shows_its_executors_and_its_jobs", async |tab| {
        tab.goto(&everything(&here)).await;
        wait_for_all(&tab, "ready").await;
        let shown: bool = tab.value("document.getElementById('cluster').offsetHeight > 0").await;
        assert!(!shown, "steps run in one process");

        tab.goto(&everything(&server)).await;
        wait_for_all(&tab, "ready").await;
        tab.wait_for("cluster", "ready").await;
        assert_eq!(tab.texts("#cluster [data-testid=executor-row]").await.len(), 2);
        let rows = tab.texts("#cluster [data-testid=job-row]").await;
        assert_eq!(rows.len(), jobs.len());
        assert!(
            rows.iter()
                .any(|row| row.contains("gold.recommendations") && row.contains("done")),
            "{rows:?}"
        );
        tab.picture("dashboard-cluster.png").await;

        // Without a commit: the page polls by itself.
        drop(cluster);
        tab.wait("document.querySelector('#cluster').innerText.includes('does not report its state')")
            .await;
        tab
    });
}

#[test]
fn an_empty_lake_and_a_broken_one_say_what_to_do() {
    let shop = Shop::new();
    shop.produce("events.json", 2_000, 7, 0.0);
    let server = Server::start_with(&shop, &[], &[]);
    with_tab("an_empty_lake_and_a_broken_one_say_what_to_do", async |tab| {
        tab.goto(&everything(&server)).await;
        for panel in &PANELS[..7] {
            tab.wait_for(panel, "empty").await;
            assert!(tab.text(&format!("#{panel}")).await.contains("clickrec run"), "{panel}");
        }
        tab.picture("dashboard-empty.png").await;
        // The page updates by itself once there is something to show.
        shop.ok(&["run"]);
        wait_for_all(&tab, "ready").await;

        let folder = shop.path("lake/gold/item_activity");
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "parquet") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        tab.goto(&format!("http://{}/?range=30d", server.address)).await;
        tab.wait_for("popular", "error").await;
        let said = tab.text("#popular").await;
        assert!(said.contains("server") && !said.contains("parquet"), "{said}");
        tab.wait("document.querySelector('#popular .panel-body button')").await;
        tab.wait_for("engagement", "ready").await;
        tab.picture("dashboard-broken.png").await;
        tab
    });
}

#[test]
fn a_server_with_a_token_asks_for_it() {
    let shop = shop();
    let server = Server::start_with(&shop, &[], &[("CLICKREC_TOKEN", "canary-token-77")]);
    with_tab("a_server_with_a_token_asks_for_it", async |tab| {
        tab.goto(&everything(&server)).await;
        tab.wait("document.getElementById('token').open").await;
        tab.type_into("#token-input", "wrong").await;
        tab.press("#token-input", "Enter").await;
        tab.wait("document.getElementById('token-error').innerText.length > 0")
            .await;
        tab.run("document.getElementById('token-input').value = ''").await;
        tab.type_into("#token-input", "canary-token-77").await;
        tab.press("#token-input", "Enter").await;
        wait_for_all(&tab, "ready").await;
        tab
    });
}

#[test]
fn a_narrow_screen_scrolls_down_and_never_sideways() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab("a_narrow_screen_scrolls_down_and_never_sideways", async |tab| {
        for (width, height) in [(360, 740), (768, 1024), (2560, 1300)] {
            tab.resize(width, height).await;
            tab.goto(&everything(&server)).await;
            wait_for_all(&tab, "ready").await;
            let wide: i64 = tab.value("document.documentElement.scrollWidth").await;
            assert!(wide <= width, "{wide} of {width}");
            tab.picture(&format!("dashboard-{width}.png")).await;
        }
        // Every clickable element has a name.
        let nameless: Vec<String> = tab
            .value("[...document.querySelectorAll('button, a, select, input')].filter((e) => !e.closest('[hidden]') && !(e.innerText?.trim() || e.getAttribute('aria-label') || e.labels?.length)).map((e) => e.outerHTML)")
            .await;
        assert_eq!(nameless, Vec::<String>::new());
        tab
    });
}
