//! What the simulated shop's catalog says of its items: titles, prices, pictures. All of it follows from the number of
//! an item, so that a catalog fits any traffic of the same shop. Everything is in stock: rules of the shop hide
//! nothing.

use std::io::{self, Write};

use chrono::{DateTime, TimeDelta, Utc};

/// The header of the catalog's CSV file.
pub(super) const HEADER: &str = "item_id,title,category,price,image,url,availability,created";

/// How many kinds of products a category has.
const KINDS: usize = 5;
/// Items came into the assortment within this many days before the traffic starts.
const ASSORTMENT_DAYS: u32 = 700;

/// A category: its name, and its kinds of products with their usual prices.
type Shelf = (&'static str, [(&'static str, usize); KINDS]);

const SHELVES: [Shelf; 20] = [
    (
        "Shoes",
        [
            ("Running Shoes", 110),
            ("Hiking Boots", 160),
            ("Sneakers", 85),
            ("Sandals", 60),
            ("Slippers", 35),
        ],
    ),
    (
        "Jackets",
        [
            ("Rain Jacket", 130),
            ("Down Jacket", 220),
            ("Fleece Jacket", 75),
            ("Softshell", 115),
            ("Windbreaker", 90),
        ],
    ),
    (
        "Bags",
        [
            ("Backpack", 95),
            ("Tote Bag", 40),
            ("Messenger Bag", 80),
            ("Duffel Bag", 105),
            ("Belt Bag", 30),
        ],
    ),
    (
        "Watches",
        [
            ("Field Watch", 190),
            ("Diver Watch", 320),
            ("Chronograph", 410),
            ("Sports Watch", 150),
            ("Pocket Watch", 120),
        ],
    ),
    (
        "Audio",
        [
            ("Headphones", 140),
            ("Earbuds", 90),
            ("Bookshelf Speakers", 260),
            ("Turntable", 330),
            ("Radio", 70),
        ],
    ),
    (
        "Cameras",
        [
            ("Compact Camera", 380),
            ("Zoom Lens", 540),
            ("Tripod", 85),
            ("Camera Strap", 30),
            ("Instant Camera", 110),
        ],
    ),
    (
        "Books",
        [
            ("Cookbook", 30),
            ("Travel Guide", 22),
            ("Atlas", 48),
            ("Novel", 16),
            ("Field Guide", 26),
        ],
    ),
    (
        "Kitchen",
        [
            ("Chef's Knife", 85),
            ("Cast Iron Pan", 60),
            ("Saucepan", 45),
            ("Cutting Board", 35),
            ("Mixing Bowl", 20),
        ],
    ),
    (
        "Coffee and Tea",
        [
            ("Coffee Grinder", 120),
            ("Espresso Pot", 40),
            ("Teapot", 38),
            ("Pour-Over Set", 55),
            ("Travel Mug", 28),
        ],
    ),
    (
        "Lighting",
        [
            ("Desk Lamp", 70),
            ("Floor Lamp", 150),
            ("Pendant Light", 120),
            ("Lantern", 35),
            ("String Lights", 25),
        ],
    ),
    (
        "Plants",
        [
            ("Monstera", 32),
            ("Olive Tree", 65),
            ("Fern", 18),
            ("Herb Garden", 24),
            ("Cactus", 12),
        ],
    ),
    (
        "Toys",
        [
            ("Train Set", 60),
            ("Building Blocks", 35),
            ("Kite", 22),
            ("Plush Bear", 26),
            ("Puzzle", 18),
        ],
    ),
    (
        "Games",
        [
            ("Chess Set", 55),
            ("Strategy Game", 48),
            ("Card Game", 15),
            ("Dice Set", 12),
            ("Party Game", 28),
        ],
    ),
    (
        "Bicycles",
        [
            ("City Bike", 780),
            ("Gravel Bike", 1_450),
            ("Helmet", 75),
            ("Bike Light", 40),
            ("Pannier", 65),
        ],
    ),
    (
        "Camping",
        [
            ("Tent", 290),
            ("Sleeping Bag", 140),
            ("Camp Stove", 70),
            ("Headlamp", 45),
            ("Hammock", 60),
        ],
    ),
    (
        "Fitness",
        [
            ("Yoga Mat", 50),
            ("Kettlebell", 45),
            ("Jump Rope", 18),
            ("Foam Roller", 30),
            ("Dumbbells", 80),
        ],
    ),
    (
        "Skin Care",
        [
            ("Face Cream", 32),
            ("Hand Balm", 14),
            ("Sunscreen", 20),
            ("Soap Bar", 8),
            ("Body Lotion", 18),
        ],
    ),
    (
        "Bedding",
        [
            ("Linen Sheets", 120),
            ("Wool Blanket", 95),
            ("Pillow", 45),
            ("Duvet", 140),
            ("Bedspread", 85),
        ],
    ),
    (
        "Office",
        [
            ("Notebook", 14),
            ("Fountain Pen", 48),
            ("Desk Organizer", 32),
            ("Wall Calendar", 18),
            ("Office Chair", 310),
        ],
    ),
    (
        "Music",
        [
            ("Acoustic Guitar", 280),
            ("Ukulele", 75),
            ("Keyboard", 340),
            ("Harmonica", 38),
            ("Hand Drum", 90),
        ],
    ),
];

/// Product lines; the first word of a title.
const LINES: [&str; 20] = [
    "Alpine", "Breeze", "Cedar", "Dune", "Ember", "Fjord", "Granite", "Harbor", "Iris", "Juniper", "Kestrel", "Linden",
    "Maple", "Nimbus", "Orchid", "Pebble", "Quartz", "Raven", "Summit", "Tundra",
];

/// Writes an item as a row of the catalog; it came into the assortment before `start`.
pub(super) fn write_row(item: u32, categories: u32, start: DateTime<Utc>, out: &mut impl Write) -> io::Result<()> {
    let (category, rank) = ((item % categories) as usize, (item / categories) as usize);
    let (shelf, kinds) = &SHELVES[category % SHELVES.len()];
    let (kind, usual_price) = kinds[rank % KINDS];
    // Each kind has every line once, then again with a number.
    let line = LINES[(rank / KINDS + rank % KINDS * 4 + category) % LINES.len()];
    let title = numbered(&format!("{line} {kind}"), rank / (KINDS * LINES.len()));
    let shelf = numbered(shelf, category / SHELVES.len());
    // Up to a fifth above or below what is usual.
    let price = usual_price * (80 + (rank * 37 + category * 11) % 41) / 100;
    let image = image(category, rank);
    let days = 1 + item.wrapping_mul(131) % ASSORTMENT_DAYS;
    let created = start.checked_sub_signed(TimeDelta::days(days.into())).unwrap_or(start);
    let created = created.format("%Y-%m-%dT%H:%M:%SZ");
    writeln!(
        out,
        "prod_{item},{title},{shelf},{price}.90,\"{image}\",https://shop.example/items/prod_{item},in_stock,{created}"
    )
}

/// `Cedar Tent`, and from the second time on `Cedar Tent 2`.
fn numbered(name: &str, times_before: usize) -> String {
    match times_before {
        0 => name.to_owned(),
        times => format!("{name} {}", times + 1),
    }
}

/// A picture that needs no network: a disk in the color of the category, whose size shows the kind.
fn image(category: usize, rank: usize) -> String {
    let (hue, radius) = (category * 47 % 360, 3 + rank % KINDS);
    format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E%3Cpath fill='hsl({hue} 60%25 \
         88%25)' d='M0 0h18v18H0z'/%3E%3Ccircle cx='9' cy='9' r='{radius}' fill='hsl({hue} 55%25 \
         45%25)'/%3E%3C/svg%3E"
    )
}
