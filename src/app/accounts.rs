//! `qism user`: looks at accounts and changes them; a running server notices by itself.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use anyhow::Context as _;

use super::copies::storage_of;
use crate::{
    cluster::SystemClock,
    config::cli::{AddUser, User, UserAction},
    school::{ListedAccount, School, Wanted},
    storage::Store,
};

pub async fn user(options: User) -> anyhow::Result<()> {
    let (store, school) = school_beside(options.config.as_deref(), options.data.as_deref()).await?;
    let said = act(&school, options.action).await?;
    store.close().await;
    print_all(&said)
}

/// The school of a store, for a command beside the server that may have it open. Who asked closes the store.
pub(super) async fn school_beside(
    config: Option<&Path>,
    data: Option<&Path>,
) -> anyhow::Result<(Store, School)> {
    let storage = storage_of(config, data)?;
    let told = || format!("storage {}", storage.url.shown());
    let store = Store::open_beside(&storage.url).await.with_context(told)?;
    let school = School::new(store.clone(), Arc::new(SystemClock::default()))?;
    Ok((store, school))
}

/// A reader who has seen enough (`| head`) is no error.
pub(super) fn print_all(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Does it; gives what the operator reads.
async fn act(school: &School, action: UserAction) -> anyhow::Result<String> {
    Ok(match action {
        UserAction::List { role, class } => table(&school.accounts(role, class.as_deref()).await?),
        UserAction::Add(new) => {
            let login = new.login.trim().to_lowercase();
            let password = school.add_account(wanted(new)).await?;
            format!("{login} is added; password: {}\n", password.reveal())
        }
        UserAction::Disable { login } => {
            school.disable(&login).await?;
            format!("{login} is disabled\n")
        }
        UserAction::Enable { login } => {
            school.enable(&login).await?;
            format!("{login} is enabled\n")
        }
        UserAction::Erase { login } => {
            school.erase_by_login(&login).await?;
            format!(
                "{login} is erased; what they wrote follows, as a running server goes through the lessons\n"
            )
        }
        UserAction::Password { login } => {
            let password = school.replace_password(&login).await?;
            format!("new password of {login}: {}\n", password.reveal())
        }
        UserAction::Move { login, class } => {
            school.move_to_class(&login, &class).await?;
            format!("{login} is in {class}\n")
        }
    })
}

fn wanted(new: AddUser) -> Wanted {
    let pair = |words: Vec<String>| {
        let mut words = words.into_iter();
        words.next().zip(words.next())
    };
    Wanted {
        login: new.login,
        role: new.role,
        arabic: pair(new.arabic),
        latin: pair(new.latin),
        classes: new.classes,
        subject: new.subject,
        school: new.school,
    }
}

/// Names come last: their direction would disorder what follows.
fn table(accounts: &[ListedAccount]) -> String {
    let rows: Vec<[String; 4]> = accounts.iter().map(columns).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for (row, account) in rows.iter().zip(accounts) {
        for (word, width) in row.iter().zip(widths) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{word:width$}  ");
        }
        let name = &account.name;
        let scripts = [&name.arabic, &name.latin].into_iter().flatten();
        let names: Vec<String> = scripts.map(|part| format!("{} {}", part.given, part.family)).collect();
        text.push_str(&names.join(" / "));
        text.push('\n');
    }
    text
}

fn columns(account: &ListedAccount) -> [String; 4] {
    let roles: Vec<&str> = account.roles.iter().map(|role| role.name()).collect();
    let or_dash = |words: String| if words.is_empty() { "-".to_owned() } else { words };
    let state = if account.disabled { "disabled" } else { "enabled" };
    [account.login.clone(), or_dash(roles.join(",")), or_dash(account.groups.join(",")), state.to_owned()]
}
