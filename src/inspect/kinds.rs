//! Kinds of events: what the names of shops count as, by synonyms.

use super::mapping::Event;
use super::names::plain;

/// Words of kinds that are none of ours, although they contain one of them.
const OTHERS: [&str; 18] = [
    "remove",
    "delete",
    "list",
    "impression",
    "refund",
    "cancel",
    "begin",
    "start",
    "abandon",
    "wish",
    "scroll",
    "fail",
    "return",
    "update",
    "clear",
    "promotion",
    "search",
    "login",
];
const VIEWS: [&str; 25] = [
    "view",
    "views",
    "viewed",
    "click",
    "clicks",
    "clicked",
    "clickout",
    "viewitem",
    "itemview",
    "itemviewed",
    "viewproduct",
    "productview",
    "productviewed",
    "viewcontent",
    "detail",
    "detailview",
    "pdp",
    "viewdetail",
    "show",
    "open",
    "read",
    "watch",
    "play",
    "listen",
    "see",
];
/// Views of pages, of which only some are views of items.
const PAGES: [&str; 4] = ["pageview", "pv", "page", "pageviewed"];
const CARTS: [&str; 16] = [
    "cart",
    "carts",
    "basket",
    "addtocart",
    "addcart",
    "cartadd",
    "addedtocart",
    "productadded",
    "itemadded",
    "addtobasket",
    "basketadd",
    "addtobag",
    "addcartitem",
    "add",
    "bag",
    "atc",
];
const REMOVALS: [&str; 11] = [
    "removefromcart",
    "removedfromcart",
    "removecart",
    "cartremove",
    "removefrombasket",
    "basketremove",
    "removefrombag",
    "productremoved",
    "itemremoved",
    "removecartitem",
    "deletefromcart",
];
const PURCHASES: [&str; 22] = [
    "purchase",
    "purchases",
    "purchased",
    "buy",
    "buys",
    "bought",
    "order",
    "orders",
    "ordered",
    "ordercompleted",
    "orderplaced",
    "placeorder",
    "transaction",
    "transactions",
    "conversion",
    "sale",
    "sold",
    "checkoutcompleted",
    "completepurchase",
    "purchasecompleted",
    "paid",
    "inapppurchase",
];

/// How a kind was recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognized {
    As(Event),
    /// Perhaps a view, unless other kinds are.
    Page,
}

/// What the name of a kind counts as.
pub(super) fn recognized(kind: &str) -> Option<Recognized> {
    let kind = plain(kind);
    let is_one_of = |names: &[&str]| names.contains(&kind.as_str());
    if is_one_of(&PAGES) {
        return Some(Recognized::Page);
    }
    let exact = [
        (Event::View, &VIEWS[..]),
        (Event::AddToCart, &CARTS),
        (Event::RemoveFromCart, &REMOVALS),
        (Event::Purchase, &PURCHASES),
    ];
    if let Some((event, _)) = exact.into_iter().find(|(_, names)| is_one_of(names)) {
        return Some(Recognized::As(event));
    }
    let contains = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    let is_of_cart = contains(&["cart", "basket", "bag", "trolley"]);
    // A coupon in the cart is not an item.
    let is_of_other = contains(&["coupon", "voucher", "promo", "discount", "address", "wish"]);
    if is_of_cart && contains(&["remove"]) && !is_of_other {
        return Some(Recognized::As(Event::RemoveFromCart));
    }
    if contains(&OTHERS) {
        return None;
    }
    if is_of_cart && !is_of_other && (kind.starts_with("put") || kind.contains("add")) {
        return Some(Recognized::As(Event::AddToCart));
    }
    let is_done = contains(&["complete", "place", "confirm", "success", "submit", "done", "paid"]);
    if contains(&["purchase", "transaction"]) || contains(&["order", "checkout"]) && is_done {
        return Some(Recognized::As(Event::Purchase));
    }
    let is_of_item = contains(&["item", "product", "pdp", "detail", "content", "article", "offer"]);
    (is_of_item && contains(&["view", "click", "open", "seen"])).then_some(Recognized::As(Event::View))
}

/// Values of a field with what they count as.
type Known = Vec<(String, Event)>;
/// Values of a field that count as nothing, with their numbers of records.
type Unknown = Vec<(String, usize)>;

/// What the values of a field count as, the commonest first, and those that count as nothing. Pages are views if nothing
/// else is one.
pub(super) fn mapped(values: &[(&str, usize)]) -> (Known, Unknown) {
    let recognized: Vec<Option<Recognized>> = values.iter().map(|(kind, _)| recognized(kind)).collect();
    let are_pages_views = !recognized.contains(&Some(Recognized::As(Event::View)));
    let (mut known, mut unknown) = (vec![], vec![]);
    for ((kind, count), recognized) in values.iter().zip(recognized) {
        match recognized {
            Some(Recognized::As(event)) => known.push(((*kind).to_owned(), event)),
            Some(Recognized::Page) if are_pages_views => known.push(((*kind).to_owned(), Event::View)),
            _ => unknown.push(((*kind).to_owned(), *count)),
        }
    }
    known.sort_by_key(|(_, event)| *event);
    (known, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_recognized_by_synonyms() {
        use Event::{AddToCart, Purchase, RemoveFromCart, View};
        for (event, kinds) in [
            (
                Some(View),
                &[
                    "view",
                    "clicks",
                    "Product Viewed",
                    "view_item",
                    "Product Detail Viewed",
                    "productClick",
                    "PDP_VIEW",
                ][..],
            ),
            (
                Some(AddToCart),
                &[
                    "addtocart",
                    "carts",
                    "add_to_cart",
                    "Product Added",
                    "Item Added To Cart",
                    "cart_line_added",
                    "putIntoBasket",
                    "cart",
                ],
            ),
            (
                Some(Purchase),
                &[
                    "transaction",
                    "orders",
                    "Order Completed",
                    "buy",
                    "purchase",
                    "completed_purchase",
                    "order_confirmed",
                ],
            ),
            (
                Some(RemoveFromCart),
                &[
                    "remove_from_cart",
                    "removefromcart",
                    "Product Removed",
                    "Item Removed From Cart",
                    "cart_line_removed",
                    "cart_remove",
                ],
            ),
            (
                None,
                &[
                    "remove_from_wishlist",
                    "Product Removed From Wishlist",
                    "cart_coupon_removed",
                    "Cart Cleared",
                    "Product List Viewed",
                    "Order Refunded",
                    "begin_checkout",
                    "c",
                    "",
                    "view_item_list",
                    "add_to_wishlist",
                    "cart_address_entered",
                    "cart_coupon_added",
                    "scroll",
                ],
            ),
        ] {
            for kind in kinds {
                assert_eq!(recognized(kind), event.map(Recognized::As), "{kind}");
            }
        }
    }

    #[test]
    fn pages_are_views_if_nothing_else_is() {
        let (known, unknown) = mapped(&[("page_view", 5), ("buy", 1), ("login", 1)]);
        let expected = [
            ("page_view".to_owned(), Event::View),
            ("buy".to_owned(), Event::Purchase),
        ];
        assert_eq!(known, expected);
        assert_eq!(unknown, [("login".to_owned(), 1)]);
        let (known, unknown) = mapped(&[("page_view", 5), ("view_item", 1)]);
        assert_eq!(known, [("view_item".to_owned(), Event::View)]);
        assert_eq!(unknown, [("page_view".to_owned(), 5)]);
    }
}
