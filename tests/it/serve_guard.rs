//! What keeps the server safe. Each test fails if its guard is removed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::saved::Saved;
use crate::serving::Server;
use crate::support::Shop;

const TOKEN: &str = "canary-token-6f1d0c";

fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::after_events(&RUN, 2_000, 7, 0.0)
}

#[test]
fn off_loopback_there_is_no_server_without_a_token() {
    let shop = Shop::new();
    // A port that is taken: without its guard the server would fail too, but with another message.
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let (code, said) = shop.fails(&["serve", "--bind", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("CLICKREC_TOKEN") && said.contains("help:"), "{said}");
}

#[test]
fn with_a_token_nothing_of_the_lake_is_told_without_it() {
    let shop = shop();
    let server = Server::start_with(&shop, &["--sql"], &[("CLICKREC_TOKEN", TOKEN)]);
    for path in [
        "/api/v1/sessions",
        "/api/v1/pipeline",
        "/api/v1/cluster",
        "/api/v1/metrics",
        "/api/v1/events",
        "/api/v1/openapi.json",
        "/nothing",
    ] {
        for header in [
            None,
            Some("Bearer wrong"),
            Some("Bearer "),
            Some(TOKEN),
            Some("Basic canary"),
        ] {
            let headers: Vec<(&str, &str)> = header.map(|value| ("Authorization", value)).into_iter().collect();
            let answer = server.ask("GET", path, &headers, "");
            assert_eq!(answer.code, 401, "{path} with {header:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.body.contains(TOKEN));
        }
    }
    let posted = server.post("/api/v1/sql", r#"{"sql": "select 1"}"#);
    assert_eq!(posted.code, 401);
    let bearer = format!("Bearer {TOKEN}");
    let good = [("Authorization", bearer.as_str())];
    server.wait("an answer", || {
        server.ask("GET", "/api/v1/sessions", &good, "").code == 200
    });
    // The page itself contains no data; it asks for the token.
    assert_eq!(server.get("/").code, 200);
    assert_eq!(server.get("/assets/app.js").code, 200);
}

#[test]
fn a_name_that_is_not_the_servers_is_refused() {
    let shop = shop();
    let server = Server::start(&shop, &["--host", "shop.example"]);
    let port = server.address.port();
    for name in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        String::new(),
    ] {
        let answer = server.ask("GET", "/api/v1/sessions", &[("Host", &name)], "");
        assert!(matches!(answer.code, 400 | 421), "{name}: {answer:?}");
        assert!(!answer.body.contains("session_id"), "{name}");
    }
    for name in [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        "shop.example".to_owned(),
        format!("SHOP.example:{port}"),
    ] {
        assert_eq!(
            server.ask("GET", "/api/v1/sessions", &[("Host", &name)], "").code,
            200,
            "{name}"
        );
    }
}

#[test]
fn another_page_may_not_ask() {
    let shop = shop();
    let server = Server::start(&shop, &["--sql"]);
    let body = r#"{"sql": "select count(*) from gold.sessions"}"#;
    let json = ("Content-Type", "application/json");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(
            server
                .ask("POST", "/api/v1/sql", &[json, ("Origin", origin)], body)
                .code,
            403,
            "{origin}"
        );
        assert_eq!(
            server.ask("GET", "/api/v1/sessions", &[("Origin", origin)], "").code,
            403,
            "{origin}"
        );
    }
    let cross = [json, ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")];
    assert_eq!(server.ask("POST", "/api/v1/sql", &cross, body).code, 403);
    // A form on another page can send text, but not JSON.
    assert_eq!(
        server
            .ask("POST", "/api/v1/sql", &[("Content-Type", "text/plain")], body)
            .code,
        400
    );
    let own = format!("http://{}", server.address);
    assert_eq!(
        server.ask("POST", "/api/v1/sql", &[json, ("Origin", &own)], body).code,
        200
    );
}

#[test]
fn every_answer_says_what_a_page_may_do() {
    let shop = Shop::new();
    let server = Server::start_with(&shop, &[], &[]);
    for path in ["/", "/assets/app.js", "/api/v1/sessions", "/nothing"] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}: {}",
            answer.head
        );
        assert!(!policy.contains("unsafe"), "{path}");
        // Pictures, and nothing else, may come from the hosts of a catalog.
        let (foreign, own): (Vec<&str>, Vec<&str>) = policy.split("; ").partition(|part| part.contains(':'));
        assert_eq!(foreign, ["img-src 'self' data: https: http:"], "{path}");
        assert!(own.len() >= 7, "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    // The policy forbids inline scripts and styles.
    let page = server.get("/").body;
    assert!(
        !page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="),
        "inline code"
    );
    assert_eq!(
        page.matches("<script").count(),
        page.matches("<script ").count(),
        "inline script"
    );
}

#[test]
fn what_is_too_large_is_refused() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let long = json!({"items": ["x".repeat(70_000)]}).to_string();
    let refused = server.post("/api/v1/recommendations", &long);
    assert_eq!((refused.code, refused.error_code().as_str()), (413, "too_large"));
    // A body without a declared length.
    let mut stream = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "POST /api/v1/recommendations HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..20 {
        let chunk = format!("{:x}\r\n{}\r\n", 10_000, "x".repeat(10_000));
        if stream.write_all(chunk.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 413") || answer.is_empty(), "{answer}");
    let many: Vec<String> = (0..1_001).map(|item| item.to_string()).collect();
    assert_eq!(
        server
            .post("/api/v1/recommendations", &json!({"items": many}).to_string())
            .code,
        400
    );
}

#[test]
fn clients_that_send_nothing_lose_their_connection_and_others_are_served() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let half_a_head = "GET /api/v1/sessions HTTP/1.1\r\nHost: ";
    let half_a_body = format!(
        "POST /api/v1/recommendations HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        server.address
    );
    let started = Instant::now();
    let waiting: Vec<_> = [half_a_head, &half_a_body]
        .into_iter()
        .map(|said| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            thread::spawn(move || {
                let mut text = String::new();
                // Returns once the server closes the connection.
                stream.read_to_string(&mut text).map(|_| text)
            })
        })
        .collect();
    assert_eq!(server.get("/api/v1/sessions").code, 200);
    for waiting in waiting {
        let text = waiting.join().unwrap().expect("the server keeps the connection");
        assert!(!text.contains("200 OK"), "{text}");
    }
    assert!(started.elapsed() < Duration::from_secs(25));
}

#[test]
fn sql_is_off_and_where_it_is_on_it_only_reads_the_lake() {
    let shop = shop();
    let off = Server::start(&shop, &[]);
    assert_eq!(off.post("/api/v1/sql", r#"{"sql": "select 1"}"#).code, 404);
    drop(off);

    let server = Server::start(&shop, &["--sql"]);
    let run = |sql: &str| server.post("/api/v1/sql", &json!({"sql": sql}).to_string());
    let rows = run("select count(*) as n from gold.sessions").json();
    assert_eq!(rows["rows"][0]["n"], shop.number("select count(*) from gold.sessions"));
    let cut = run("select * from silver.events").json();
    assert_eq!(
        (cut["rows"].as_array().unwrap().len(), &cut["truncated"]),
        (1_000, &json!(true))
    );
    let twice = "select a.x, b.x, null as y from (select 1 as x) as a cross join (select 2 as x) as b";
    assert_eq!(run(twice).json()["rows"], json!([{"x": 1, "x_2": 2, "y": null}]));
    // Checked by the plan, not by the text.
    assert_eq!(run("select 'drop table gold.sessions; delete' as words").code, 200);

    let before = shop.number("select count(*) from gold.sessions");
    for sql in [
        "insert into gold.sessions select * from gold.sessions",
        "delete from gold.sessions",
        "drop table gold.sessions",
        "create table t as select 1",
        "create view v as select 1",
        "create external table t stored as parquet location '/tmp'",
        "copy (select 1) to '/tmp/clickrec-copy.csv'",
        "set datafusion.execution.batch_size = 1",
        "explain select * from gold.sessions",
        "explain analyze select * from gold.sessions",
        "explain analyze insert into gold.sessions select * from gold.sessions",
        "select 1; select 2",
        "with x as (select 1) insert into gold.sessions select * from gold.sessions",
        "prepare p as select 1",
        "select * from information_schema.df_settings",
        "show all",
        "select * from '/etc/passwd'",
        "select * from 'pipelines.csv'",
        "select * from read_csv('/etc/passwd')",
        "select * from changes('clicks')",
        "select * from als_train(gold.session_items, user => session_id, item => item_id, weight => weight)",
        "",
        "select",
    ] {
        let answer = run(sql);
        assert_eq!(
            (answer.code, answer.error_code().as_str()),
            (400, "sql"),
            "{sql}: {answer:?}"
        );
        assert!(!answer.body.contains("/lake/"), "{answer:?}");
    }
    assert_eq!(shop.number("select count(*) from gold.sessions"), before);
    assert!(!std::path::Path::new("/tmp/clickrec-copy.csv").exists());
    for (sql, help) in [
        ("drop table gold.sessions", "send one query: select …"),
        ("select * from information_schema.df_settings", "use `clickrec sql`"),
        (
            "select * from als_train(gold.session_items, user => session_id, item => item_id, weight => weight)",
            "use `clickrec sql`",
        ),
        ("explain select * from gold.sessions", "use `clickrec sql`"),
    ] {
        let answer = run(sql);
        assert_eq!(answer.json()["error"]["help"], help, "{sql}: {answer:?}");
    }
    let refused = run("select * from read_csv('/etc/passwd')").body;
    assert!(refused.contains("reads files by name"), "{refused}");

    // More memory than a query may use.
    let hungry = "select cardinality(array_agg(concat(a.event_id, b.event_id, a.session_id))) from silver.events a \
                  cross join silver.events b cross join (values (1), (2), (3)) as t (n)";
    let answer = run(hungry);
    assert_eq!((answer.code, answer.error_code().as_str()), (400, "sql"), "{answer:?}");
    assert!(answer.body.contains("memory"), "{answer:?}");
    assert_eq!(server.get("/api/v1/health").code, 200);
}
