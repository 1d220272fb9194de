//! Items of a project with a catalog, as the page shows them in a real browser: titles, pictures, facts and links, and
//! what must not come out of a catalog.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

use crate::browser::{Tab, with_tab};
use crate::own_projects::followed;
use crate::saved::Saved;
use crate::serving::Server;
use crate::support::Shop;

/// A picture of one pixel.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const MARKUP: &str = r#"<img src="x" onerror="window.attacked = 1">"#;
const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>"#;

/// A shop's host of pictures: every answer is the same picture.
struct Pictures {
    address: SocketAddr,
    asked: Arc<Mutex<String>>,
}

impl Pictures {
    /// The one of all tests.
    fn host() -> &'static Self {
        static HOST: OnceLock<Pictures> = OnceLock::new();
        HOST.get_or_init(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let asked = Arc::<Mutex<String>>::default();
            let log = asked.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    // Browsers also open connections that they may need later.
                    let log = log.clone();
                    thread::spawn(move || answer(&stream.unwrap(), &log));
                }
            });
            Self { address, asked }
        })
    }
}

fn answer(mut stream: &TcpStream, log: &Mutex<String>) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    log.lock().unwrap().push_str(&head.join("\n"));
    let length = SVG.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\nContent-Length: {length}\r\n");
    // Nobody is there if the connection was never used.
    _ = write!(stream, "{head}Connection: close\r\n\r\n{SVG}");
}

/// A catalog that knows every item but b.
fn catalog() -> String {
    let host = Pictures::host().address;
    let long = "A title that never ends ".repeat(20) + &"x".repeat(200);
    let category = "Kitchen > ".repeat(40);
    format!(
        "\
select * from (values
    ('a', 'كوب أزرق', 'أكواب', 1234567890123.5, 'data:image/png;base64,AAAA', 'https://shop.example/a', 'out of stock'),
    ('c', '{long}', '{category}', 5.0, 'http://{host}/c.svg', null, 'in_stock'),
    ('d', 'Stoneware mug', 'Mugs', 12.5, '{PIXEL}', 'https://shop.example/d', 'in stock'),
    ('p', '{MARKUP}', null, null, null, 'javascript:window.attacked = 1', null)
) as items (item_id, title, category, price, image, url, availability)
"
    )
}

/// The project of what comes next, with that catalog, after a run. Its session `new` clicked c, so d is recommended,
/// and after it a, b and p.
fn shop() -> Shop {
    static RUN: OnceLock<Saved> = OnceLock::new();
    Shop::once(&RUN, || {
        let shop = followed();
        fs::write(shop.path("sql/gold/items.sql"), catalog()).unwrap();
        let step = "      - { name: gold.items, sql: sql/gold/items.sql, mode: overwrite }\n";
        let declared = format!("{step}\nrecommender:\n  items: gold.items\n");
        shop.edit("pipelines.yaml", "\nrecommender:\n", &declared);
        shop.ok(&["run"]);
        shop
    })
}

async fn open(tab: &Tab, server: &Server) {
    tab.goto(&format!("http://{}/?range=all&session=new", server.address))
        .await;
    for panel in ["session", "playground", "popular"] {
        tab.wait_for(panel, "ready").await;
    }
}

/// Something in the row of a recommended item.
fn of(item: &str, selector: &str) -> String {
    format!("#session [data-testid=recommendation][data-item={item}] {selector}")
}

const CLICK: &str = "#session [data-testid=click]";

async fn count(tab: &Tab, selector: &str) -> u64 {
    tab.value(&format!("document.querySelectorAll('{selector}').length"))
        .await
}

#[test]
fn items_have_names_and_pictures() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    with_tab("items_have_names_and_pictures", async |tab| {
        open(&tab, &server).await;
        // All that a catalog can say.
        assert_eq!(tab.text(&of("d", ".item")).await, "Stoneware mug");
        assert_eq!(tab.text(&of("d", ".product-id")).await, "d");
        assert_eq!(tab.text(&of("d", ".product-category")).await, "Mugs");
        assert!(tab.text(&of("d", ".product-price")).await.ends_with("12.5"));
        assert_eq!(count(&tab, &of("d", ".badge")).await, 0, "it is in stock");
        let link = format!(
            "(() => {{ const a = document.querySelector('{}'); return [a.href, a.rel, a.target]; }})()",
            of("d", "a")
        );
        let link: Vec<String> = tab.value(&link).await;
        assert_eq!(link, ["https://shop.example/d", "noopener noreferrer", "_blank"]);
        let image = of("d", ".picture img");
        tab.wait(&format!("document.querySelector('{image}')?.naturalWidth > 0"))
            .await;
        let image = format!(
            "(() => {{ const i = document.querySelector('{image}'); \
             return [i.alt, i.loading, i.referrerPolicy, getComputedStyle(i).objectFit]; }})()"
        );
        let image: Vec<String> = tab.value(&image).await;
        assert_eq!(image, ["Stoneware mug", "lazy", "no-referrer", "contain"]);

        // A picture that does not load, a huge price, a title from right to left.
        tab.wait(&format!("document.querySelector('{}')", of("a", ".picture:empty")))
            .await;
        assert!(
            tab.text(&of("a", ".product-price"))
                .await
                .ends_with("1,234,567,890,123.5")
        );
        assert_eq!(tab.text(&of("a", ".badge")).await, "out of stock");
        let direction = format!(
            "getComputedStyle(document.querySelector('{}')).direction",
            of("a", ".product-title")
        );
        assert_eq!(tab.value::<String>(&direction).await, "rtl");

        // Markup is text, and a script is no link.
        assert_eq!(tab.text(&of("p", ".item")).await, MARKUP);
        for absent in ["img", "a"] {
            assert_eq!(count(&tab, &of("p", absent)).await, 0, "{absent}");
        }
        let harmless: bool = tab.value("window.attacked === undefined").await;
        assert!(harmless, "a script of the catalog ran");
        let sizes = "[...document.querySelectorAll('#session .recommendations .picture')].map((e) => `${e.offsetWidth}x${e.offsetHeight}`)";
        let sizes: Vec<String> = tab.value(sizes).await;
        assert_eq!(sizes.len(), 3, "of a, d and p");
        assert_eq!(BTreeSet::from_iter(sizes).len(), 1, "with a picture or without");

        // The catalog does not know b.
        assert_eq!(tab.text(&of("b", ".item")).await, "b");
        assert_eq!(count(&tab, &of("b", ".product")).await, 0);

        // A picture from another host, and a title that is cut.
        tab.wait(&format!(
            "document.querySelector('{CLICK} .picture img')?.naturalWidth > 0"
        ))
        .await;
        let asked = Pictures::host().asked.lock().unwrap().to_ascii_lowercase();
        assert!(asked.contains("get /c.svg") && !asked.contains("referer:"), "{asked}");
        let two_lines: bool = tab
            .value(&format!(
                "(() => {{ const t = document.querySelector('{CLICK} .product-title'); return t.scrollHeight > t.clientHeight \
                 && t.clientHeight < 2.5 * parseFloat(getComputedStyle(t).lineHeight); }})()"
            ))
            .await;
        assert!(two_lines, "of a long title");

        // The other places; there is no link inside of what is to be clicked.
        let popular = "#popular [data-testid=popular-item][data-item=d]";
        assert_eq!(tab.text(&format!("{popular} .bar-name")).await, "Stoneware mug");
        assert_eq!(count(&tab, &format!("{popular} > a")).await, 1);
        assert_eq!(count(&tab, "button a, [role=option] a").await, 0);
        tab.picture("items.png").await;
        tab.click(&format!("{CLICK} .item")).await;
        assert_eq!(
            tab.text("#similar [data-testid=similar-item] .bar-name").await,
            "Stoneware mug"
        );
        assert!(tab.text("#similar-title").await.starts_with("Similar to A title"));
        tab
    });
}

#[test]
fn items_are_found_by_name_fit_a_phone_and_follow_the_catalog() {
    let shop = shop();
    let server = Server::start(&shop, &[]);
    let test = "items_are_found_by_name_fit_a_phone_and_follow_the_catalog";
    with_tab(test, async |tab| {
        tab.resize(360, 740).await;
        tab.prefer("dark").await;
        open(&tab, &server).await;

        tab.click("#item-search").await;
        tab.type_into("#item-search", "Stoneware").await;
        tab.wait("document.querySelector('#item-search-list .product-title')?.innerText === 'Stoneware mug'")
            .await;
        tab.press("#item-search", "Enter").await;
        let made = "#playground [data-testid=made-click] .bar-name";
        assert_eq!(tab.text(made).await, "Stoneware mug");
        assert_eq!(
            tab.text("#playground [data-testid=recommendation][data-item=p] .item")
                .await,
            MARKUP
        );
        tab.click("#playground [data-key=chip-d]").await;
        tab.wait(&format!("document.querySelectorAll('{made}').length === 2"))
            .await;
        assert_eq!(tab.texts(made).await, ["Stoneware mug"; 2]);

        let wide: i64 = tab.value("document.documentElement.scrollWidth").await;
        assert!(wide <= 360, "{wide}");
        tab.picture("items-360.png").await;
        tab.click(&format!("{CLICK} .item")).await;
        tab.text("#similar [data-testid=similar-item]").await;
        let wide: bool = tab
            .value("(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.getElementById('similar'))")
            .await;
        assert!(!wide, "similar items scroll sideways");
        tab.press("#similar button[data-close]", "Escape").await;
        // Whatever can be clicked has a name.
        let nameless: Vec<String> = tab
            .value("[...document.querySelectorAll('.product a, .product button, .bars a, .bars button, .chip')].filter((e) => !(e.innerText.trim() || e.getAttribute('aria-label'))).map((e) => e.outerHTML)")
            .await;
        assert_eq!(nameless, Vec::<String>::new());

        shop.edit("sql/gold/items.sql", "Stoneware mug", "Porcelain mug");
        shop.ok(&["run"]);
        tab.wait("document.querySelector('#popular [data-item=d] .bar-name').innerText === 'Porcelain mug'")
            .await;
        tab
    });
}
