//! What the administrator sees of several servers: which of them serve, what stands still, what is gone, where people are, what
//! the links between them carry.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    program::Program,
    server::{Person, eventually},
};

fn server<'a>(fleet: &'a Value, name: &str) -> &'a Value {
    let servers = fleet["servers"].as_array().expect("a list");
    servers.iter().find(|server| server["name"] == name).unwrap_or_else(|| panic!("no {name} in {fleet}"))
}

fn has(fleet: &Value, kind: &str, name: &str) -> bool {
    let troubles = fleet["troubles"].as_array().expect("a list");
    troubles.iter().any(|trouble| trouble["kind"] == kind && trouble["server"] == name)
}

fn signal(program: &Program, name: &str) {
    let told = Command::new("kill").args([name, &program.id().to_string()]).status().expect("kill runs");
    assert!(told.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_is_told_from_one_that_is_gone() {
    let Some(mut cluster) = Cluster::of(0).await else { return };
    let start = |cluster: &Cluster, n| tokio::task::block_in_place(|| Program::of_file(&cluster.file(n)));
    let watched = start(&cluster, 0);
    let (still, mut gone) = (start(&cluster, 1), start(&cluster, 2));
    let administrator = Person::sign_in(&watched.url, "administrator").await;
    let until = async |what: &dyn Fn(&Value) -> bool| {
        eventually(async || Some(administrator.json("/api/fleet").await).filter(what)).await
    };
    let well = until(&|fleet| {
        fleet["troubles"] == json!([])
            && (0..3).all(|n| server(fleet, &format!("node{n}"))["condition"]["bus"] == true)
    })
    .await;
    assert!(server(&well, "node1")["condition"]["since"].as_u64().expect("told") > 0);

    // Somebody whose lesson was placed elsewhere comes in all the same.
    let student = Person::sign_in(&watched.url, "student1").await;
    let line = student.enter().await;
    let lesson = line.lesson;
    let store = qism::storage::Store::open_beside(cluster.storage_url()).await.expect("opened");
    let away = qism::storage::Placing { node: "node1", is_away: true };
    let placed = store.placed_on(lesson).await.expect("read").expect("placed by its ticket");
    store.move_lesson(lesson, &placed, away).await.expect("moved");
    store.close().await;
    let strays = until(&|fleet| has(fleet, "spilled", "") && has(fleet, "away", "")).await;
    assert_eq!(server(&strays, "node0")["strays"], 1);
    assert_eq!(
        (&server(&strays, "node1")["away"], &server(&strays, "node1")["strays"]),
        (&json!(1), &json!(0))
    );
    drop(line);

    signal(&still, "-STOP");
    gone.kill();
    let bad = until(&|fleet| has(fleet, "silent", "node1") && has(fleet, "gone", "node2")).await;
    assert_eq!(server(&bad, "node1")["state"], "silent");
    assert_eq!(bad["troubles"][0]["severity"], "danger");
    // It goes on; another one takes the name of the dead, who is spoken of no more.
    signal(&still, "-CONT");
    let again = start(&cluster, 2);
    let healed =
        until(&|fleet| !has(fleet, "gone", "node2") && server(fleet, "node1")["state"] == "serving").await;
    assert_eq!(healed["servers"].as_array().expect("a list").len(), 3);
    cluster.redis.kill();
    until(&|fleet| (0..3).all(|n| has(fleet, "bus", &format!("node{n}")))).await;
    drop((watched, still, again));
}
