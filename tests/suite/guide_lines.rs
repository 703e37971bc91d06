//! The table of the guide that says how many lines a trick takes counts the lines of its program.

const PAGE: &str = include_str!("../../crates/burn-tricks/src/guide/how_much_code.md");

/// How many lines of `code` end with the name of a trick as their comment.
fn lines(code: &str, trick: &str) -> usize {
    let comments = code.lines().filter_map(|line| line.split_once(" // "));
    comments.filter(|(_, comment)| *comment == trick).count()
}

#[test]
fn the_table_counts_the_lines_of_the_program() {
    let (text, program) = PAGE.split_once("```rust").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let (shared, rest) = program.split_once("fn in_a_loop").unwrap();
    let (a_loop, learner) = rest.split_once("fn in_the_learner").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(2);
    let mut tricks = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [trick, in_a_loop, in_the_learner] = cells[..] else {
            panic!("{row}");
        };
        for (code, told) in [(a_loop, in_a_loop), (learner, in_the_learner)] {
            // One without a number has its own page.
            if let Ok(told) = told.parse::<usize>() {
                assert_eq!(lines(code, trick) + lines(shared, trick), told, "{trick}");
                assert!((1..=2).contains(&told), "{trick}");
            }
        }
        tricks.push(trick);
    }
    assert_eq!(tricks.len(), 12);
    // And no line is left out.
    let comments = program.lines().filter_map(|line| line.split_once("; // "));
    for (_, comment) in comments.filter(|(code, _)| !code.contains("tempdir")) {
        assert!(tricks.contains(&comment), "{comment}");
    }
}
