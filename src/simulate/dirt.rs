//! Dirty records of the kinds that occur in real streams.

use rand::Rng;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dirt {
    /// An earlier record again, byte for byte.
    Duplicate,
    /// Delivered long after it happened.
    Late,
    /// No session ID.
    Sessionless,
    /// Not usable at all.
    Broken(Broken),
}

/// How a record is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    CutOff,
    NumberForItem,
    UnknownType,
    NoItem,
    BadTimestamp,
    InvalidUtf8,
    EmptyObject,
    FarFuture,
}

const BROKEN: [Broken; 8] = [
    Broken::CutOff,
    Broken::NumberForItem,
    Broken::UnknownType,
    Broken::NoItem,
    Broken::BadTimestamp,
    Broken::InvalidUtf8,
    Broken::EmptyObject,
    Broken::FarFuture,
];

impl Dirt {
    /// A random kind; all four are equally likely.
    pub fn any(random: &mut impl Rng) -> Self {
        match random.random_range(0..4) {
            0 => Self::Duplicate,
            1 => Self::Late,
            2 => Self::Sessionless,
            _ => Self::Broken(BROKEN[random.random_range(0..BROKEN.len())]),
        }
    }
}

impl Broken {
    /// Makes a good record dirty.
    pub fn spoil(self, value: &mut Vec<u8>) {
        match self {
            Self::CutOff => value.truncate(value.len() / 2),
            Self::NumberForItem => replace_field(value, "item_id", "88"),
            Self::UnknownType => replace_field(value, "event_type", "\"wishlist\""),
            Self::NoItem => replace_field(value, "item_id", "null"),
            Self::BadTimestamp => replace_field(value, "timestamp", "\"yesterday\""),
            Self::InvalidUtf8 => {
                if let Some(quote) = value.iter().position(|byte| *byte == b':') {
                    value.splice(quote + 2..quote + 2, [0xC3, 0x28]);
                }
            }
            Self::EmptyObject => *value = b"{}".to_vec(),
            Self::FarFuture => replace_field(value, "timestamp", "\"2999-01-01T00:00:00Z\""),
        }
    }
}

/// Replaces the value of a field; values contain no commas, quotes or braces.
fn replace_field(value: &mut Vec<u8>, field: &str, with: &str) {
    let name = format!("\"{field}\":");
    let Some(start) = value.windows(name.len()).position(|window| window == name.as_bytes()) else {
        return;
    };
    let start = start + name.len();
    let length = value[start..]
        .iter()
        .position(|byte| matches!(byte, b',' | b'}'))
        .unwrap_or(value.len() - start);
    value.splice(start..start + length, with.bytes());
}
