//! What an event keeps besides its columns, as JSON: the column `extra` of `sql/silver/clicks.sql`.

/// What has no column: of the record, and of the item in it, under `item`; and the ID of the browser, under
/// `anonymous_id`.
pub(super) fn extra(of_items: bool, anonymous: Option<&(String, String)>) -> String {
    match (of_items, anonymous) {
        (false, None) => "click['extra']".to_owned(),
        (true, None) => "case
            when item['extra'] is null then click['extra']
            when click['extra'] is null then concat('{\"item\":', item['extra'], '}')
            else concat(cast(left(click['extra'], -1) as varchar), ',\"item\":', item['extra'], '}')
        end"
        .to_owned(),
        (_, Some((_, json))) => {
            let item = if of_items {
                ",\n                '\"item\":' || item['extra']"
            } else {
                ""
            };
            // What is NULL adds nothing.
            format!(
                "nullif(
            concat('{{', concat_ws(
                ',',
                substr(left(click['extra'], -1), 2),
                '\"anonymous_id\":' || {json}{item}
            ), '}}'),
            '{{}}'
        )"
            )
        }
    }
}
