//! `clickrec sql` at a terminal: every feature of the prompt in action.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use vt100::Color;

use crate::support::Shop;
use crate::terminal::Terminal;

/// More than any machine counts during a test.
const ENDLESS: &str = "select count(*) from generate_series(1, 1000000000000);\r";

#[test]
fn an_input_has_several_lines_until_its_semicolon() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    terminal.send("select 41 + 1\r");
    terminal.wait("clickrec> select 41 + 1\n        >");
    terminal.send("  as answer;\r");
    let screen = terminal.wait("(1 row)");
    assert!(screen.contains(" answer"), "{screen}");
    assert!(screen.contains(" 42"), "{screen}");
    terminal.wait_for_prompt();
    terminal.send("\x04");
    assert_eq!(terminal.exit_code(), Some(0), "Ctrl-D leaves");
}

#[test]
fn tab_completes_tables_columns_arguments_and_commands() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    // Names are loaded in the background; the first statement waits for them.
    terminal.send("select 1;\r");
    terminal.wait("(1 row)");
    terminal.wait_for_prompt();
    terminal.send("select count(distinct e.ite) as items from silver.events as e");
    terminal.send(&"\x1b[D".repeat(") as items from silver.events as e".len()));
    terminal.send("\t");
    terminal.wait("e.item_id) as items");
    terminal.send("\x05;\r");
    terminal.wait("(1 row)");
    terminal.wait_for_prompt();
    terminal.send("select * from silver.qua\t");
    terminal.wait("from silver.quarantine");
    terminal.send("\x03");
    terminal.wait_for_prompt();
    terminal.send("select * from similar_items(gold.als_factors, it\t");
    terminal.wait("gold.als_factors, item => ");
    terminal.send("\x03");
    terminal.wait_for_prompt();
    terminal.send("select * from gold.\t");
    let menu = terminal.wait("gold.recommendations");
    assert!(
        menu.contains("gold.als_factors") && menu.contains("gold.item_popularity"),
        "{menu}"
    );
    terminal.send("\x03");
    terminal.wait_for_prompt();
    terminal.send("\\lay\t\r");
    terminal.wait("sql/gold/recommendations.sql");
}

#[test]
fn the_history_outlives_the_shell_and_holds_no_secrets() {
    let shop = Shop::new();
    let state = shop.path("kept");
    let environment = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let terminal = Terminal::start_with(&shop, &["sql"], &environment);
    terminal.wait_for_prompt();
    for input in [
        "select 'first'\r as it;\r",
        "select 'hunter2' as password;\r",
        "select 'last' as it;\r",
    ] {
        terminal.send(input);
        terminal.wait("(1 row)");
        terminal.wait_for_prompt();
        // A clean screen for the next one.
        terminal.send("\x0c");
        terminal.wait_until("a clean screen", |screen| screen.trim() == "clickrec>");
    }
    terminal.send("\x04");
    assert_eq!(terminal.exit_code(), Some(0));

    let file = shop.path("kept/clickrec/history");
    let kept = fs::read_to_string(&file).unwrap();
    assert_eq!(kept, "select 'first'<\\n> as it;\nselect 'last' as it;\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let terminal = Terminal::start_with(&shop, &["sql"], &environment);
    terminal.wait_for_prompt();
    terminal.send("\x1b[A");
    terminal.wait("clickrec> select 'last' as it;");
    terminal.send("\x03");
    terminal.wait_for_prompt();
    terminal.send("\x12first");
    terminal.wait("select 'first'");
    terminal.send("\r\r");
    terminal.wait("(1 row)");
}

#[test]
fn ctrl_c_ends_the_query_and_not_the_shell() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    terminal.send("select nonsense");
    terminal.wait("clickrec> select nonsense");
    terminal.send("\x03");
    terminal.wait_for_prompt();
    terminal.send(ENDLESS);
    terminal.wait("rows read");
    terminal.send("\x03");
    let screen = terminal.wait("\ncanceled");
    assert!(!screen.contains("rows read"), "the bar goes with its query:\n{screen}");
    terminal.wait_for_prompt();
    terminal.send("select 6 * 7 as answer;\r");
    terminal.wait("42");
}

#[test]
fn a_shell_ends_with_its_terminal() {
    let shop = Shop::after_a_run();
    let idle = Terminal::start(&shop, &["sql"]);
    idle.wait_for_prompt();
    idle.tear_off(&shop);
    let busy = Terminal::start(&shop, &["sql"]);
    busy.wait_for_prompt();
    busy.send(ENDLESS);
    busy.wait("rows read");
    busy.tear_off(&shop);
}

#[test]
fn watch_goes_on_until_ctrl_c() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    terminal.send("select count(*) as rounds from silver.quarantine \\watch 0.1\r");
    terminal.wait_until("three rounds", |screen| screen.matches("every 100ms").count() >= 3);
    terminal.send("\x03");
    terminal.wait("canceled");
    terminal.wait_for_prompt();
}

#[test]
fn a_large_result_is_cut_short_and_says_how_large_it_is() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    terminal.send("select * from range(123456);\r");
    let screen = terminal.wait("(40 of 123,456 rows shown; \\limit off shows all)");
    assert!(screen.contains(" 39") && !screen.contains(" 40 "), "{screen}");
    terminal.send("\\x\r");
    terminal.wait("one line per column is on");
    terminal.send("\\timing\r");
    terminal.wait("timing is on");
    terminal.send("select 'up' as side;\r");
    let screen = terminal.wait("Time: ");
    assert!(
        screen.contains("── row 1") && screen.contains("side │ up") && screen.contains("peak memory"),
        "{screen}"
    );
}

#[test]
fn what_is_typed_has_colors_unless_they_are_not_wanted() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    terminal.send("select 'text'");
    terminal.wait("'text'");
    assert_eq!(terminal.color_of("select"), (Color::Idx(4), true));
    assert_eq!(terminal.color_of("'text'"), (Color::Idx(2), false));

    let plain = Terminal::start_with(&shop, &["sql"], &[("NO_COLOR", "1")]);
    plain.wait_for_prompt();
    plain.send("select 'text'");
    plain.wait("'text'");
    assert_eq!(plain.color_of("select"), (Color::Default, false));
}

#[test]
fn errors_end_nothing_and_the_prompt_tells_the_time_traveled_to() {
    let shop = Shop::after_a_run();
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait_for_prompt();
    terminal.send("select * from silver.event;\r");
    terminal.wait("did you mean `silver.events`?");
    terminal.wait_for_prompt();
    terminal.send("\\at 0\r");
    terminal.wait("clickrec@0> ");
    terminal.send("\\at now\r");
    terminal.wait("reading the current lake");
    terminal.send("\\q\r");
    assert_eq!(terminal.exit_code(), Some(0));
}

#[test]
fn a_broken_project_is_told_before_anything_is_typed() {
    let shop = Shop::new();
    shop.edit("pipelines.yaml", "mode: append }", "mod: append }");
    let terminal = Terminal::start(&shop, &["sql"]);
    terminal.wait("unknown key `mod`");
    assert_eq!(terminal.exit_code(), Some(2));
}

#[test]
fn a_broken_step_is_told_and_the_shell_goes_on() {
    let shop = Shop::new();
    shop.edit("sql/silver/quarantine.sql", "silver.unaccepted", "silver.klicks");
    let terminal = Terminal::start(&shop, &["sql"]);
    // It appears below the prompt, which is there before the project is planned.
    terminal.wait("silver.klicks");
    terminal.send("\\q\r");
    assert_eq!(terminal.exit_code(), Some(0));
}
