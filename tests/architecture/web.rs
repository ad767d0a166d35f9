//! Rules for the browser app's sources.

use crate::source::too_long;

/// Who may import from which folder of `web-client/src`; files in the root put everything together.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("media", &["protocol"]),
    ("signal", &["protocol"]),
    ("room", &["protocol", "signal"]),
    ("school", &["protocol", "signal"]),
    ("board", &["protocol", "signal", "room"]),
    ("lesson", &["protocol", "media", "signal", "room", "school"]),
    ("ui", &["protocol", "media", "signal", "room", "school", "lesson", "board"]),
];

pub fn sizes(path: &str, text: &str) -> Vec<String> {
    too_long(path, text.lines().count()).into_iter().collect()
}

/// Imports between the folders, and browser interfaces that belong to one of them.
pub fn imports(path: &str, text: &str) -> Vec<String> {
    let Some(folder) = folder(path) else { return Vec::new() };
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !is_comment(line)) {
        let place = format!("{path}:{}", index + 1);
        if let Some(target) = imported_folder(path, line) {
            let allowed =
                MAY_IMPORT.iter().find(|(name, _)| *name == folder).map_or(&[][..], |(_, list)| list);
            if target != folder && !allowed.contains(&target.as_str()) {
                found.push(format!("{place}: {folder} may not import {target}"));
            }
        }
        if folder != "media" && line.contains("new RTCPeerConnection") {
            found.push(format!("{place}: RTCPeerConnection belongs to media"));
        }
        if !["ui", "board", "media"].contains(&folder) && has_dom(line) {
            found.push(format!("{place}: the DOM belongs to ui"));
        }
    }
    found
}

fn has_dom(line: &str) -> bool {
    [
        "document.createElement",
        "document.querySelector",
        "document.body",
        "document.getElementById",
        "innerHTML",
    ]
    .iter()
    .any(|word| line.contains(word))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with('*') || line.starts_with("/*")
}

/// The folder below `web-client/src`, if the file is in one that has a rule.
fn folder(path: &str) -> Option<&str> {
    let (folder, _) = path.strip_prefix("web-client/src/")?.split_once('/')?;
    MAY_IMPORT.iter().any(|(name, _)| *name == folder).then_some(folder)
}

/// The folder that `from '../media/x'` or `import('../media/x')` reaches.
fn imported_folder(path: &str, line: &str) -> Option<String> {
    let after = line.split_once(" from ").or_else(|| line.split_once("import("))?.1;
    let quoted = after.split(['\'', '"']).nth(1)?;
    let mut place: Vec<&str> = path.split('/').collect();
    place.pop();
    for part in quoted.starts_with('.').then_some(quoted)?.split('/') {
        match part {
            "." => {}
            ".." => drop(place.pop()),
            part => place.push(part),
        }
    }
    let path = place.join("/");
    folder(&path).map(str::to_owned)
}

/// Arabic is read from the right: styles say start and end.
pub fn directions(path: &str, text: &str) -> Vec<String> {
    if !path.ends_with(".css") {
        return Vec::new();
    }
    let mut in_comment = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = without_comments(line, &mut in_comment);
        let words = code.split(|c: char| !c.is_ascii_alphabetic());
        if let Some(word) = words.into_iter().find(|word| ["left", "right"].contains(word)) {
            found.push(format!("{path}:{}: `{word}`; write inline-start or inline-end", index + 1));
        }
    }
    found
}

fn without_comments(line: &str, in_comment: &mut bool) -> String {
    let mut code = String::new();
    let mut rest = line;
    loop {
        let mark = if *in_comment { "*/" } else { "/*" };
        let Some((before, after)) = rest.split_once(mark) else { break };
        if !*in_comment {
            code.push_str(before);
        }
        *in_comment = !*in_comment;
        rest = after;
    }
    if !*in_comment {
        code.push_str(rest);
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_against_the_direction_is_found() {
        for (path, bad) in [
            ("web-client/src/media/leg.ts", "import { h } from '../ui/kit/Dialog';"),
            ("web-client/src/room/fold.ts", "import { open } from \"../media/leg\";"),
            ("web-client/src/ui/screens/x.tsx", "const pc = new RTCPeerConnection();"),
            ("web-client/src/signal/socket.ts", "document.body.append(x)"),
            ("web-client/src/protocol/codec.ts", "const x = await import('../signal/socket');"),
        ] {
            assert_eq!(imports(path, bad).len(), 1, "{path}: {bad}");
        }
    }

    #[test]
    fn an_import_along_the_direction_is_fine() {
        for (path, good) in [
            ("web-client/src/ui/screens/lesson/Lesson.tsx", "import { fold } from '../../../room/fold';"),
            ("web-client/src/ui/kit/Dialog.tsx", "import { Button } from './Button';"),
            ("web-client/src/media/leg.ts", "import type { Slot } from '../protocol/generated';"),
            ("web-client/src/media/leg.ts", "// import { x } from '../ui/x';"),
            ("web-client/src/room/fold.ts", "import { signal } from '@preact/signals';"),
            ("web-client/src/main.tsx", "import { App } from './ui/App';"),
        ] {
            assert_eq!(imports(path, good), Vec::<String>::new());
        }
    }

    #[test]
    fn left_and_right_in_styles_are_found_and_comments_are_not() {
        let bad = "a { margin-left: 1px; }\nb { text-align: right }\n/* left\n right */ c { color: red }\nd { left: 0 }\n";
        assert_eq!(directions("web-client/src/ui/a.css", bad).len(), 3);
        assert!(
            directions("web-client/src/ui/a.css", "a { margin-inline-start: 1px; overflow: bright }")
                .is_empty()
        );
    }
}
