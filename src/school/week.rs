//! The timetable of a week, as a school writes it, and the lessons that it means between two days. Pure.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};

use super::sheet::{Row, Sheet, SheetError};

/// Columns of the table; all are needed.
const COLUMNS: [&str; 6] = ["day", "from", "to", "class", "subject", "teacher"];

/// As timetables write them, in the order of the week.
const DAYS: [(Weekday, [&str; 4]); 7] = [
    (Weekday::Monday, ["monday", "lundi", "الاثنين", "الإثنين"]),
    (Weekday::Tuesday, ["tuesday", "mardi", "الثلاثاء", "الثلاثاء"]),
    (Weekday::Wednesday, ["wednesday", "mercredi", "الأربعاء", "الاربعاء"]),
    (Weekday::Thursday, ["thursday", "jeudi", "الخميس", "الخميس"]),
    (Weekday::Friday, ["friday", "vendredi", "الجمعة", "الجمعة"]),
    (Weekday::Saturday, ["saturday", "samedi", "السبت", "السبت"]),
    (Weekday::Sunday, ["sunday", "dimanche", "الأحد", "الاحد"]),
];

/// One line of the table: a lesson each week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weekly {
    pub line: usize,
    pub day: Weekday,
    pub from: Time,
    pub to: Time,
    pub class: String,
    pub subject: String,
    /// Their login.
    pub teacher: String,
}

/// All lines; nobody is in two lessons at once.
pub fn read(text: &str) -> Result<Vec<Weekly>, SheetError> {
    let sheet = Sheet::read(text, &COLUMNS, COLUMNS.len())?;
    let mut week: Vec<Weekly> = Vec::new();
    for row in &sheet.rows {
        let new = weekly(row)?;
        if let Some((other, who)) = week.iter().find_map(|other| Some((other, both_in(other, &new)?))) {
            return Err(row.error(format!("{who} has another lesson then, see line {}", other.line)));
        }
        week.push(new);
    }
    Ok(week)
}

fn weekly(row: &Row) -> Result<Weekly, SheetError> {
    let word = row.needed("day")?;
    let day = day(word).ok_or_else(|| row.error(format!("{word:?} is no day: monday, lundi, الاثنين …")))?;
    let at = |column: &str| {
        let word = row.needed(column)?;
        time(word).ok_or_else(|| row.error(format!("{column}: {word:?} is no time: 8:30 or 8h30")))
    };
    let (from, to) = (at("from")?, at("to")?);
    if from >= to {
        return Err(row.error("it ends before it begins"));
    }
    let text = |column: &str| Ok(row.needed(column)?.to_owned());
    let (class, subject) = (text("class")?, text("subject")?);
    Ok(Weekly { line: row.line, day, from, to, class, subject, teacher: text("teacher")?.to_lowercase() })
}

/// Who would be in both at once.
fn both_in<'a>(one: &Weekly, other: &'a Weekly) -> Option<&'a str> {
    if one.day != other.day || one.from >= other.to || other.from >= one.to {
        return None;
    }
    let pairs = [(&one.teacher, &other.teacher), (&one.class, &other.class)];
    pairs.into_iter().find(|(one, other)| one == other).map(|(_, who)| who.as_str())
}

fn day(word: &str) -> Option<Weekday> {
    let word = word.to_lowercase();
    let word = word.strip_prefix("يوم ").unwrap_or(&word).trim();
    DAYS.iter().find(|(_, names)| names.contains(&word)).map(|(day, _)| *day)
}

/// `8`, `8h`, `8h30`, `08:30`, `08:30:00`.
fn time(word: &str) -> Option<Time> {
    let word = word.to_lowercase().replace(['h', '.'], ":");
    let mut parts = word.split(':').map(str::trim);
    let hour = parts.next()?.parse().ok()?;
    let minute =
        parts.next().filter(|minute| !minute.is_empty()).map_or(Some(0), |minute| minute.parse().ok())?;
    Time::new(hour, minute, 0, 0).ok()
}

/// When each line is given between two days, both included: its place in the week, beginning and end in milliseconds since the Unix epoch.
pub fn lessons(week: &[Weekly], from: Date, to: Date, zone: &TimeZone) -> Vec<(usize, u64, u64)> {
    let mut lessons = Vec::new();
    for day in from.series(1.day()).take_while(|day| *day <= to) {
        for (at, weekly) in week.iter().enumerate().filter(|(_, weekly)| weekly.day == day.weekday()) {
            let moment = |time: Time| {
                let moment = zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible();
                moment.ok().map(milliseconds)
            };
            if let Some((starts, ends)) = moment(weekly.from).zip(moment(weekly.to)) {
                lessons.push((at, starts, ends));
            }
        }
    }
    lessons
}

fn milliseconds(moment: Timestamp) -> u64 {
    moment.as_millisecond().max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "day;from;to;class;subject;teacher\n";

    fn problem(lines: &str) -> String {
        read(&format!("{HEAD}{lines}")).expect_err("refused").to_string()
    }

    #[test]
    fn days_and_times_are_read_as_timetables_write_them() {
        for (word, expected) in
            [("Lundi", Weekday::Monday), ("يوم الجمعة", Weekday::Friday), ("SATURDAY", Weekday::Saturday)]
        {
            assert_eq!(day(word), Some(expected), "{word}");
        }
        for (word, hour, minute) in
            [("8", 8, 0), ("8h", 8, 0), ("8h30", 8, 30), ("08:30", 8, 30), ("14:05:00", 14, 5)]
        {
            assert_eq!(time(word), Time::new(hour, minute, 0, 0).ok(), "{word}");
        }
        for wrong in ["", "25:00", "8h75", "noon"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_is_told() {
        for (lines, word) in [
            ("Mon;8;9;1A;Français;prof\n", "line 2: \"Mon\" is no day"),
            ("lundi;8;8h;1A;Français;prof\n", "ends before it begins"),
            ("lundi;huit;9;1A;Français;prof\n", "from: \"huit\" is no time"),
            ("lundi;8;9;;Français;prof\n", "class is empty"),
            (
                "lundi;8;9;1A;Français;p\nlundi;8h30;10;1B;Français;P\n",
                "line 3: p has another lesson then, see line 2",
            ),
            ("lundi;8;9;1A;Français;p\nlundi;8;9;1A;Arabe;q\n", "line 3: 1A has another"),
        ] {
            let told = problem(lines);
            assert!(told.contains(word), "{lines:?}: {told}");
        }
        let fits = "lundi;8;9;1A;Français;p\nlundi;9;10;1A;Français;p\nmardi;8;9;1A;Français;p\n";
        assert_eq!(read(&format!("{HEAD}{fits}")).map(|week| week.len()), Ok(3));
    }

    #[test]
    fn a_lesson_is_at_the_same_time_on_the_clock_when_the_offset_changes() {
        let zone = TimeZone::get("Africa/Casablanca").expect("known");
        let week =
            read(&format!("{HEAD}lundi;8;9;1A;Français;p\nmardi;8;9;1A;Français;p\n")).expect("readable");
        let day = |text: &str| text.parse::<Date>().expect("a date");
        // Ramadan of 2026: from 15 February to 22 March the clocks are an hour behind.
        let found = lessons(&week, day("2026-02-09"), day("2026-02-16"), &zone);
        let monday = 1_770_620_400_000; // 2026-02-09 07:00 UTC
        let (hour, a_day) = (3_600_000, 86_400_000);
        assert_eq!(
            found,
            [
                (0, monday, monday + hour),
                (1, monday + a_day, monday + a_day + hour),
                (0, monday + 7 * a_day + hour, monday + 7 * a_day + 2 * hour),
            ]
        );
    }
}
