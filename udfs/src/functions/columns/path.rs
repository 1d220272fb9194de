//! Paths into a record: `$.properties.product_id`, `$['a b'].items[0]`.

use super::column::Step;
use super::scanner::Scanner;

/// A path has at most this many steps.
const STEPS_MAX: usize = 32;
const ONE_VALUE: &str = "a path leads to one value; to read all items of a list, declare a list, like string[]";

/// Parses the path that comes next.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &mut Scanner<'_>) -> Result<Vec<Step>, &'static str> {
    if !text.eat('$') {
        return Err("a path starts with `$`, like $.properties.product_id");
    }
    let mut steps = vec![];
    loop {
        let step = if text.eat('.') {
            Step::Name(plain_name(text)?)
        } else if text.eat('[') {
            in_brackets(text)?
        } else {
            break;
        };
        if steps.len() == STEPS_MAX {
            return Err("a path has at most 32 steps");
        }
        steps.push(step);
    }
    match steps.first() {
        Some(Step::Name(_)) => Ok(steps),
        _ => Err("a record is an object, so a path starts with the name of a field, like $.properties"),
    }
}

fn plain_name(text: &mut Scanner<'_>) -> Result<String, &'static str> {
    match text.name() {
        "" => Err("a name is missing in the path"),
        "*" => Err(ONE_VALUE),
        name => Ok(name.to_owned()),
    }
}

fn in_brackets(text: &mut Scanner<'_>) -> Result<Step, &'static str> {
    let step = if text.is_at_quote() {
        Step::Name(text.quoted().ok_or("a quote in the path is not closed")?)
    } else {
        let index = text.name();
        match index.parse() {
            Ok(index) => Step::Index(index),
            Err(_) if index == "*" => return Err(ONE_VALUE),
            Err(_) => {
                return Err("brackets in a path hold an index in a list, like [0], or a quoted name, like ['a b']");
            }
        }
    };
    if text.eat(']') {
        Ok(step)
    } else {
        Err("a bracket in the path is not closed")
    }
}
