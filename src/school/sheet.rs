//! Tables as spreadsheets save them: CSV in UTF-8, with the names of the columns in the first line.
//!
//! Separated by commas, semicolons (French spreadsheets) or tabs, whichever the first line has most of.

/// What is wrong with a table, for who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct SheetError {
    /// From 1 on, as a spreadsheet counts rows.
    pub line: usize,
    pub problem: String,
}

impl SheetError {
    pub fn new(line: usize, problem: impl Into<String>) -> Self {
        Self { line, problem: problem.into() }
    }
}

/// One table.
#[derive(Debug)]
pub struct Sheet {
    pub rows: Vec<Row>,
    /// What stands between two cells.
    pub separator: char,
}

/// One line of it that is not empty.
#[derive(Debug)]
pub struct Row {
    pub line: usize,
    cells: Vec<(&'static str, String)>,
}

impl Row {
    /// Without spaces around; empty where the table has no such column.
    pub fn cell(&self, column: &str) -> &str {
        self.cells.iter().find(|(name, _)| *name == column).map_or("", |(_, text)| text)
    }

    /// The same where it must not be empty.
    pub fn needed(&self, column: &str) -> Result<&str, SheetError> {
        match self.cell(column) {
            "" => Err(self.error(format!("{column} is empty"))),
            text => Ok(text),
        }
    }

    pub fn error(&self, problem: impl Into<String>) -> SheetError {
        SheetError::new(self.line, problem)
    }
}

impl Sheet {
    /// The first `needed` of the `columns` must be there; any other name is refused, since it may be a misspelt one.
    pub fn read(text: &str, columns: &[&'static str], needed: usize) -> Result<Self, SheetError> {
        let text = text.trim_start_matches('\u{feff}');
        let separator = separator(text.lines().next().unwrap_or_default());
        let mut lines = lines(text, separator)?.into_iter();
        let (_, head) = lines.next().unwrap_or_default();
        let names = head.iter().map(|name| known(name, columns)).collect::<Result<Vec<_>, _>>()?;
        if let Some(missing) = columns[..needed].iter().find(|column| !names.contains(column)) {
            return Err(SheetError::new(
                1,
                format!("there is no column {missing}; the first line names: {}", columns.join(", ")),
            ));
        }
        let rows = lines.map(|(line, cells)| row(line, cells, &names)).collect::<Result<_, _>>()?;
        Ok(Self { rows, separator })
    }
}

fn separator(head: &str) -> char {
    let count = |separator: &char| head.matches(*separator).count();
    [',', ';', '\t'].into_iter().max_by_key(count).filter(|found| count(found) > 0).unwrap_or(',')
}

/// The empty name of a column without any, which spreadsheets leave behind.
fn known(name: &str, columns: &[&'static str]) -> Result<&'static str, SheetError> {
    if name.is_empty() {
        return Ok("");
    }
    let folded = name.to_lowercase().replace(' ', "_");
    columns.iter().find(|column| **column == folded).copied().ok_or_else(|| {
        SheetError::new(1, format!("{name:?} is no column; the first line names: {}", columns.join(", ")))
    })
}

fn row(line: usize, cells: Vec<String>, names: &[&'static str]) -> Result<Row, SheetError> {
    if cells.len() > names.len() && cells[names.len()..].iter().any(|cell| !cell.is_empty()) {
        return Err(SheetError::new(
            line,
            format!(
                "{} cells, but {} columns: a name with a separator in it goes in quotes",
                cells.len(),
                names.len()
            ),
        ));
    }
    Ok(Row { line, cells: names.iter().copied().zip(cells).collect() })
}

/// Cells of all lines that have any, each with the number of its line. In quotes a cell may hold separators and ends of lines.
fn lines(text: &str, separator: char) -> Result<Vec<(usize, Vec<String>)>, SheetError> {
    let (mut found, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut began, mut quoted) = (1, 1, None);
    let mut letters = text.chars().chain(['\n']).peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted.is_some() && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted.is_some() => quoted = None,
            '"' if cell.trim().is_empty() => quoted = Some(line),
            '\n' if quoted.is_none() => {
                cells.push(std::mem::take(&mut cell).trim().to_owned());
                let full = std::mem::take(&mut cells);
                if full.iter().any(|cell| !cell.is_empty()) {
                    found.push((began, full));
                }
                (line, began) = (line + 1, line + 1);
            }
            _ if letter == separator && quoted.is_none() => {
                cells.push(std::mem::take(&mut cell).trim().to_owned());
            }
            _ => {
                line += usize::from(letter == '\n');
                cell.push(letter);
            }
        }
    }
    match quoted {
        Some(line) => Err(SheetError::new(line, "a quote is opened and never closed")),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["login", "role", "class"];

    fn cells(text: &str) -> Vec<(usize, [String; 3])> {
        let sheet = Sheet::read(text, COLUMNS, 2).expect("readable");
        let all = |row: &Row| [0, 1, 2].map(|at| row.cell(COLUMNS[at]).to_owned());
        sheet.rows.iter().map(|row| (row.line, all(row))).collect()
    }

    fn three(of: [&str; 3]) -> [String; 3] {
        of.map(str::to_owned)
    }

    #[test]
    fn every_spreadsheet_separates_and_ends_lines_otherwise() {
        for text in [
            "login,role,class\ns1,student,1APIC-1\n",
            "\u{feff}login;role;class\r\ns1;student;1APIC-1\r\n\r\n",
            "Login\tClass\tRole\ns1\t1APIC-1\tstudent",
            "class ; login;role;;\n1APIC-1 ; s1 ;student;;\n;;;;\n",
        ] {
            assert_eq!(cells(text), [(2, three(["s1", "student", "1APIC-1"]))], "{text:?}");
        }
    }

    #[test]
    fn quotes_hold_separators_quotes_and_ends_of_lines() {
        let text = "login,role\n\"a,b\",\"say \"\"x\"\"\"\n\n\"two\nlines\",y\nlast,z\n";
        let found: Vec<_> =
            cells(text).into_iter().map(|(line, [login, role, _])| (line, login, role)).collect();
        let row = |line: usize, login: &str, role: &str| (line, login.to_owned(), role.to_owned());
        assert_eq!(found, [row(2, "a,b", "say \"x\""), row(4, "two\nlines", "y"), row(6, "last", "z")]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, word) in [
            ("", 1, "no column login"),
            ("login\ns1\n", 1, "no column role"),
            ("login,rolle\n", 1, "\"rolle\" is no column"),
            ("login,role\ns1,student,1APIC-1\n", 2, "3 cells, but 2 columns"),
            ("login,role\n\ns1,\"student\n", 3, "never closed"),
        ] {
            let error = Sheet::read(text, COLUMNS, 2).expect_err("refused");
            assert!(error.line == line && error.to_string().contains(word), "{text:?}: {error}");
        }
        let sheet = Sheet::read("login,role\ns1,\n", COLUMNS, 2).expect("readable");
        assert_eq!(sheet.rows[0].needed("role").expect_err("empty").to_string(), "line 2: role is empty");
    }
}
