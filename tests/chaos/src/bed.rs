//! A whole cluster: PostgreSQL, Redis, nodes, a proxy; made anew for each fault.

use std::{path::Path, process::Command, time::Duration};

use anyhow::Context as _;
use qism::{config::Config, storage::Store};
use qism_backing::{Postgres, Redis, Sentinel};
use qism_signaling::protocol::{LessonId, Logged};
use tempfile::TempDir;

use crate::{
    network::{POSTGRES, REDIS},
    node::{Circumstances, Node, Surroundings},
    proxy::Proxy,
};

/// What a fault needs of it.
pub struct Plan {
    pub nodes: usize,
    pub students_per_class: usize,
    /// An asynchronous standby stands by.
    pub standby: bool,
    /// The lessons of the demonstration's school are in a PostgreSQL of their own; those of its second class are another school's.
    pub academy: bool,
    /// So many Sentinels watch Redis and its replica.
    pub sentinels: usize,
    /// PostgreSQL's data is on a disk of so many MiB.
    pub disk_mib: Option<u32>,
    /// Of single nodes.
    pub circumstances: Vec<(usize, Circumstances)>,
}

impl Plan {
    pub fn of(nodes: usize) -> Self {
        let circumstances = Vec::new();
        Self {
            nodes,
            students_per_class: 40,
            standby: false,
            academy: false,
            sentinels: 0,
            disk_mib: None,
            circumstances,
        }
    }
}

/// Whose code begins otherwise than that of the demonstration (01234A), and whose lessons are those of its second class.
const ANOTHER_SCHOOL: &str = "INSERT INTO school (id, code, name_ar, name_fr, name_en) \
     SELECT '00000000-0000-7000-8000-000000000002', '02000A', name_ar, name_fr, name_en FROM school; \
     UPDATE lesson SET school = '00000000-0000-7000-8000-000000000002' \
     WHERE study_group = (SELECT id FROM study_group WHERE name = '2APIC-1'); \
     UPDATE person SET school = '00000000-0000-7000-8000-000000000002' WHERE login = 'teacher2' OR id IN \
     (SELECT e.person FROM enrollment e JOIN study_group g ON g.id = e.study_group WHERE g.name = '2APIC-1')";

/// Everything that runs. Fields are dropped in this order: nodes can say goodbye to nobody.
pub struct Bed {
    _proxy: Proxy,
    pub nodes: Vec<Node>,
    pub around: Surroundings,
    _sentinels: Vec<Sentinel>,
    _replica: Option<Redis>,
    pub redis: Redis,
    pub standby: Option<Postgres>,
    pub academy: Option<Postgres>,
    pub postgres: Postgres,
    _folder: TempDir,
}

impl Bed {
    pub async fn make(program: &Path, plan: &Plan) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let postgres = Postgres::start_on(POSTGRES.into(), plan.disk_mib).await;
        let postgres = postgres.context("PostgreSQL is not installed (tools/setup.sh postgres)")?;
        let standby = if plan.standby { Some(postgres.standby("standby").await) } else { None };
        let academy = if plan.academy { Postgres::start_on(POSTGRES.into(), None).await } else { None };
        let redis = Redis::start_at(REDIS.into(), None).await;
        let redis = redis.context("Redis is not installed (tools/setup.sh redis)")?;
        let replica = if plan.sentinels > 0 { Some(redis.replica().await) } else { None };
        let sentinels = Sentinel::watch(&redis, plan.sentinels, None).await;
        let around = Surroundings {
            program: program.to_owned(),
            folder: folder.path().to_owned(),
            storage: match &academy {
                Some(academy) => {
                    format!("{{ default = \"{}\", \"01\" = \"{}\" }}", postgres.url(), academy.url())
                }
                None => format!("\"{}\"", postgres.url()),
            },
            redis: if plan.sentinels > 0 { "redis://qism".into() } else { redis.url() },
            sentinels: sentinels.iter().map(Sentinel::address).collect(),
            students_per_class: plan.students_per_class,
        };
        let mut nodes = Vec::new();
        for number in 1..=plan.nodes {
            let own = plan.circumstances.iter().find(|(node, _)| *node == number);
            let mut node = Node::new(number)?.with(own.map(|(_, own)| *own).unwrap_or_default());
            node.start(&around)?;
            // The first one makes the school.
            node.is_ready().await?;
            if plan.academy && number == 1 {
                postgres.execute(ANOTHER_SCHOOL).await;
            }
            nodes.push(node);
        }
        let proxy = Proxy::start(folder.path(), plan.nodes)?;
        // Two of its checks.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(Self {
            _proxy: proxy,
            nodes,
            around,
            _sentinels: sentinels,
            redis,
            _replica: replica,
            standby,
            academy,
            postgres,
            _folder: folder,
        })
    }

    /// The lesson as the database has it.
    pub async fn log(&self, lesson: LessonId) -> anyhow::Result<Vec<Logged>> {
        let text = format!("[storage]\nurl = {}\n", self.around.storage);
        let store = Store::open_beside(Config::parse("the bed", &text)?.storage.url).await?;
        let mut log: Vec<Logged> = Vec::new();
        loop {
            let after = log.last().map_or(0, |last| last.number);
            let more = store.journal().read(lesson, after, 5_000).await?;
            if more.is_empty() {
                break;
            }
            log.extend(more);
        }
        store.close().await;
        Ok(log)
    }

    /// Which node holds most connections of a lesson, by the rows of the beats.
    pub async fn host(&self, lesson: LessonId) -> anyhow::Result<usize> {
        let sql = format!(
            "SELECT CAST(SUBSTR(n.name, 5) AS BIGINT) FROM node_room r JOIN node n ON n.incarnation = r.incarnation \
             WHERE r.lesson = '{lesson}' AND r.seats > 0 \
             AND n.beat > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) - 3000 ORDER BY r.seats DESC LIMIT 1"
        );
        for _ in 0..100 {
            if let Some(number) = self.postgres.number(&sql).await {
                return Ok(number as usize - 1);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("no node tells of the lesson")
    }

    /// How many living nodes hold connections of a lesson, by the rows of the beats.
    pub async fn nodes_of(&self, lesson: LessonId) -> anyhow::Result<u64> {
        let sql = format!(
            "SELECT COUNT(*) FROM node_room r JOIN node n ON n.incarnation = r.incarnation WHERE r.lesson = '{lesson}' \
             AND r.seats > 0 AND n.beat > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) - 3000"
        );
        Ok(self.postgres.number(&sql).await.context("the rows of the beats")? as u64)
    }

    /// What all nodes send to each other, in bits per second, as they said last.
    pub async fn relayed(&self) -> anyhow::Result<u64> {
        let sql = "SELECT CAST(COALESCE(SUM(CAST(l ->> 'sent' AS BIGINT)), 0) AS BIGINT) FROM node_condition c \
             JOIN node n ON n.incarnation = c.incarnation, json_array_elements(CAST(c.told AS JSON) -> 'links') AS l \
             WHERE n.beat > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) - 3000";
        Ok(self.postgres.number(sql).await.context("what the nodes say of themselves")? as u64)
    }

    /// What an operator does with an account, by `qism user` on the first node's machine; returns when it is done.
    pub async fn user(&self, words: &[&str]) -> anyhow::Result<()> {
        let mut program = Command::new(&self.around.program);
        program.arg("user").args(words).arg("--config").arg(self.around.folder.join("node1.toml"));
        let output = tokio::task::spawn_blocking(move || program.output()).await??;
        anyhow::ensure!(output.status.success(), "qism user: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// A node dies and begins again at once.
    pub fn restart(&mut self, at: usize) -> anyhow::Result<()> {
        self.nodes[at].kill();
        self.nodes[at].start(&self.around)
    }
}
