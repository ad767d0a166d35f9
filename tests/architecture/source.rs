//! What holds for sources of any language, and reading Rust without its comments and strings.

/// Lines of a file that is no test.
pub const MAX_FILE_LINES: usize = 600;

const DRAWERS: [&str; 10] =
    ["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "shared", "stuff"];

/// A file or folder named after nothing in particular collects everything.
pub fn name(path: &str) -> Vec<String> {
    let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    let bad = parts.filter(|part| DRAWERS.contains(&part.to_lowercase().as_str()));
    bad.map(|part| format!("{path}: `{part}` says nothing; name it after what it holds")).collect()
}

pub fn too_long(path: &str, lines: usize) -> Option<String> {
    (lines > MAX_FILE_LINES)
        .then(|| format!("{path}: {lines} lines, at most {MAX_FILE_LINES}; look for the second noun"))
}

/// The names of tests in a page: code of several words.
pub fn named_tests(page: &str) -> Vec<&str> {
    let is_name = |code: &&str| {
        code.matches('_').count() > 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    page.split('`').skip(1).step_by(2).filter(is_name).filter(|code| !code.ends_with("_total")).collect()
}

/// Rust with comments, strings and characters blanked out; lines and columns stay.
pub fn bare(rust: &str) -> String {
    let bytes = rust.as_bytes();
    let mut bare = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = blank_end(&bytes[at..], bare.last().copied()) + at;
        if end == at {
            bare.push(bytes[at]);
            at += 1;
        } else {
            bare.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8_lossy(&bare).into_owned()
}

/// Length of the comment, string or character that starts here; 0 when none does.
fn blank_end(rest: &[u8], before: Option<u8>) -> usize {
    let inside_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => find(rest, b"*/", 2),
        [b'"', ..] => quoted(rest, 1),
        [b'b', b'"', ..] if !inside_word => quoted(rest, 2),
        [b'r', b'"' | b'#', ..] if !inside_word => raw(rest, 1),
        [b'b', b'r', b'"' | b'#', ..] if !inside_word => raw(rest, 2),
        [b'\'', b'\\', ..] => 3 + find(&rest[3.min(rest.len())..], b"'", 0),
        [b'\'', ..] => character(rest),
        _ => 0,
    }
}

fn find(rest: &[u8], needle: &[u8], from: usize) -> usize {
    let tail = rest.get(from..).unwrap_or_default();
    let found = tail.windows(needle.len()).position(|window| window == needle);
    found.map_or(rest.len(), |at| from + at + needle.len())
}

fn quoted(rest: &[u8], mut at: usize) -> usize {
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return 0; // r#identifier
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    find(rest, &close, prefix + hashes + 1)
}

/// `'x'` is a character, `'x` a lifetime; a character of several bytes is at most six long.
fn character(rest: &[u8]) -> usize {
    let end = rest.iter().skip(2).take(5).position(|byte| *byte == b'\'');
    match end {
        Some(at) if at == 0 || !rest[1].is_ascii() => at + 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawers_are_found_as_file_and_folder() {
        for bad in ["src/http/utils.rs", "src/helpers/x.rs", "web-client/src/ui/common.ts", "src/Manager.rs"]
        {
            assert_eq!(name(bad).len(), 1, "{bad}");
        }
        assert!(name("src/http/state.rs").is_empty() && name("src/utility_bill.rs").is_empty());
    }

    #[test]
    fn names_of_tests_are_told_from_other_code() {
        let page =
            "`a_test_with_a_name`, `trusted_proxies` `qism_some_letters_total` a_b_c_d `tests/it/a_b_c_d.rs`";
        assert_eq!(named_tests(page), ["a_test_with_a_name"]);
    }

    #[test]
    fn comments_and_strings_are_blank_and_lifetimes_stay() {
        let text = "a/*x\ny*/b//c\n\"d\\\"e\"f r#\"g\"h\"#i 'j' '\\n' 'é' &'k str b\"l\" wr\"m\"";
        let bare = bare(text);
        assert_eq!(bare.lines().count(), text.lines().count());
        for gone in ["x", "y*", "c", "d", "e", "g", "h", "'j'", "é"] {
            assert!(!bare.contains(gone), "{gone} in {bare}");
        }
        assert!(bare.contains("&'k str") && bare.contains('f') && bare.contains('i'), "{bare}");
    }
}
