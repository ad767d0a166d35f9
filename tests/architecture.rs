//! The house rules of DESIGN section 2 as a test: reads the sources and fails on what would slowly turn them into mud.
//!
//! Each checker is a function from text to complaints and is tried on small bad inputs, so that it is known to be able to
//! fail; then all of them read the repository.

#[path = "architecture/rust.rs"]
mod rust;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/tree.rs"]
mod tree;
#[path = "architecture/web.rs"]
mod web;

use tree::Tree;

/// Fails with all complaints at once.
fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn rust_layers_look_only_up() {
    let tree = Tree::rust();
    expect_none(&tree.each(rust::layers));
}

#[test]
fn no_statement_names_both_the_school_and_the_log() {
    let tables = |part: &str| tree::tables(&format!("src/storage/migrations/{part}"));
    let (school, log) = (tables("school"), tables("log"));
    assert!(school.contains(&"lesson".into()) && log.contains(&"event".into()), "{school:?} {log:?}");
    expect_none(&Tree::rust().each(|path, text| rust::tables(path, text, &school, &log)));
}

#[test]
fn rust_files_and_functions_stay_small() {
    let tree = Tree::rust();
    expect_none(&tree.each(rust::sizes));
}

#[test]
fn every_rust_file_says_what_it_is() {
    let tree = Tree::rust();
    expect_none(&tree.each(rust::module_doc));
}

#[test]
fn no_file_is_a_drawer_for_everything() {
    let mut tree = Tree::rust();
    tree.add(Tree::web());
    expect_none(&tree.each(|path, _| source::name(path)));
}

#[test]
fn the_brain_depends_on_nothing_of_the_body() {
    let manifest = tree::read("signaling/Cargo.toml");
    expect_none(&rust::brain_dependencies(&manifest));
}

#[test]
fn web_imports_point_one_way() {
    let tree = Tree::web();
    expect_none(&tree.each(web::imports));
}

#[test]
fn web_files_stay_small_and_styles_know_no_left_and_right() {
    let tree = Tree::web();
    expect_none(&tree.each(web::sizes));
    expect_none(&tree.each(web::directions));
}

#[test]
fn the_page_about_security_names_tests_that_there_are() {
    let (page, tree) = (tree::read("docs/security.md"), Tree::all_rust());
    let named = source::named_tests(&page);
    assert!(named.len() > 30, "{named:?}");
    let is_gone = |name: &&&str| !tree.says(&format!("fn {name}("));
    expect_none(
        &named.iter().filter(is_gone).map(|name| format!("docs/security.md: {name}")).collect::<Vec<_>>(),
    );
}

#[test]
fn the_repository_is_really_read() {
    let tree = Tree::rust();
    for expected in ["src/main.rs", "src/http/listener.rs", "signaling/src/protocol/frame.rs"] {
        assert!(tree.has(expected), "{expected} was not read");
    }
}
