//! A private PostgreSQL: a primary, standbys that stream from it, and what can happen to them.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{AnyConnection, Connection as _, Row as _};
use tempfile::TempDir;

use crate::{SOON, eventually, free_port};

/// One server with its data. Dropping it ends it, and removes the data.
pub struct Postgres {
    server: Child,
    address: IpAddr,
    port: u16,
    has_own_disk: bool,
    folder: TempDir,
}

impl Postgres {
    /// On loopback; `None` where PostgreSQL is not installed (`tools/setup.sh postgres`).
    pub async fn start() -> Option<Self> {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), None).await
    }

    /// On loopback, and what it commits is on the disk: `fsync` and `synchronous_commit` on, all else as installed.
    pub async fn start_durable() -> Option<Self> {
        Self::make(Ipv4Addr::LOCALHOST.into(), None, &[], "").await
    }

    /// Listens at an address; whoever reaches it may use it. On a disk of so many MiB in memory, if told (root only).
    pub async fn start_on(address: IpAddr, disk_mib: Option<u32>) -> Option<Self> {
        // Small segments, for small disks.
        Self::make(address, disk_mib, &["--wal-segsize=1"], "fsync = off\n").await
    }

    async fn make(address: IpAddr, disk_mib: Option<u32>, options: &[&str], settings: &str) -> Option<Self> {
        let programs = programs()?;
        let folder = Owner::find().folder();
        if let Some(mebibytes) = disk_mib {
            Owner::find().mount_disk(folder.path(), mebibytes);
        }
        let data = folder.path().join("data");
        let made = Owner::find()
            .run(&programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=qism", "--encoding=UTF8", "--locale=C"])
            .args(options)
            .arg("-D")
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        add(
            &data.join("pg_hba.conf"),
            "host all all 0.0.0.0/0 trust\nhost replication all 0.0.0.0/0 trust\n",
        );
        let settings = format!("unix_socket_directories = ''\nmax_connections = 200\n{settings}");
        add(&data.join("postgresql.conf"), &settings);
        let mut server = Self::spawned(folder, address, free_port(address));
        server.has_own_disk = disk_mib.is_some();
        server.answers().await;
        Some(server)
    }

    /// A copy that streams from this one from now on, known to it as `name`.
    pub async fn standby(&self, name: &str) -> Self {
        let folder = Owner::find().folder();
        let connection =
            format!("host={} port={} user=qism application_name={name}", self.address, self.port);
        let programs = programs().expect("it ran");
        let copied = Owner::find()
            .run(&programs.join("pg_basebackup"))
            .args(["--checkpoint=fast", "--write-recovery-conf", "--no-sync", "-d", &connection, "-D"])
            .arg(folder.path().join("data"))
            .output()
            .expect("pg_basebackup runs");
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let server = Self::spawned(folder, self.address, free_port(self.address));
        server.answers().await;
        self.is_streamed_by(name).await;
        server
    }

    /// Waits until a standby of that name streams.
    pub async fn is_streamed_by(&self, name: &str) {
        let sql = format!(
            "SELECT COUNT(*)::BIGINT FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        );
        eventually("a standby streams", async || (self.number(&sql).await == Some(1)).then_some(())).await;
    }

    fn spawned(folder: TempDir, address: IpAddr, port: u16) -> Self {
        let server = spawn(folder.path(), address, port);
        Self { server, address, port, has_own_disk: false, folder }
    }

    pub fn url(&self) -> String {
        format!("postgres://qism@{}:{}/postgres", self.address, self.port)
    }

    /// Makes another database beside the one that `url` names; its URL.
    pub async fn database(&self, name: &str) -> String {
        let mut own = self.connect().await.expect("connected");
        let sql = format!("CREATE DATABASE {name}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut own).await.expect("made");
        format!("postgres://qism@{}:{}/{name}", self.address, self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub async fn connect(&self) -> Result<AnyConnection, sqlx::Error> {
        sqlx::any::install_default_drivers();
        AnyConnection::connect(&self.url()).await
    }

    /// Does something as the operator.
    pub async fn execute(&self, sql: &'static str) {
        let mut own = self.connect().await.expect("connected");
        sqlx::raw_sql(sql).execute(&mut own).await.expect(sql);
    }

    /// The number that a question yields; `None`: no answer.
    pub async fn number(&self, sql: &str) -> Option<i64> {
        let mut own = self.connect().await.ok()?;
        let found = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut own).await.ok()?;
        found.try_get(0).ok()
    }

    /// Changes a setting and waits until new connections have it.
    pub async fn set(&self, name: &str, value: &str) {
        let mut own = self.connect().await.expect("connected");
        for sql in [format!("ALTER SYSTEM SET {name} = '{value}'"), "SELECT pg_reload_conf()".to_owned()] {
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut own).await.expect("set");
        }
        let sql = format!("SELECT (current_setting('{name}') = '{value}')::INT::BIGINT");
        eventually("the setting holds", async || (self.number(&sql).await == Some(1)).then_some(())).await;
    }

    /// As a failover does: every open connection is cut. What waits for a standby is committed here all the same.
    pub async fn end_connections(&self) {
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        .await;
    }

    /// As `kill -9` and a lost machine do: at once, with all that belongs to it.
    pub fn kill(&mut self) {
        // Its processes notice by themselves that the first one is gone.
        self.server.kill().expect("it ran");
        let _ = self.server.wait();
    }

    /// Again, at the same address, with the data of before.
    pub async fn revive(&mut self) {
        let answering = async {
            while self.connect().await.is_err() {
                // Until the last process of before has ended, it gives up, sooner or later.
                if self.server.try_wait().expect("a child").is_some() {
                    self.server = spawn(self.folder.path(), self.address, self.port);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, answering).await.expect("PostgreSQL answers again");
    }

    /// A standby becomes a primary, at the address of the one that is gone.
    pub async fn promote_to(&mut self, port: u16) {
        self.execute("SELECT pg_promote()").await;
        self.stop();
        self.port = port;
        self.revive().await;
    }

    /// A standby no longer hears its primary; it keeps what it has.
    pub async fn deafen(&self) {
        self.set("primary_conninfo", "").await;
    }

    /// In order: nothing is lost.
    pub fn stop(&mut self) {
        self.signal("-INT");
        let _ = self.server.wait();
    }

    pub fn process(&self) -> u32 {
        self.server.id()
    }

    /// Takes every free byte of its own disk.
    pub fn fill_disk(&self) {
        assert!(self.has_own_disk, "not the machine's");
        let mut filler = std::fs::File::create(self.filler()).expect("made");
        while filler.write_all(&[0; 4_096]).is_ok() {}
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("removed");
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        // One that was killed before is no more.
        kill.args([name, &self.server.id().to_string()]).stderr(Stdio::null()).status().expect("kill runs");
    }

    async fn answers(&self) {
        eventually("PostgreSQL answers", async || self.connect().await.ok()).await;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once; nobody needs this data again.
        self.signal("-QUIT");
        let _ = self.server.wait();
        if self.has_own_disk {
            let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        }
    }
}

fn spawn(folder: &Path, address: IpAddr, port: u16) -> Child {
    Owner::find()
        .run(&programs().expect("it is installed").join("postgres"))
        .args(["-c", &format!("listen_addresses={address}"), "-p", &port.to_string(), "-D"])
        .arg(folder.join("data"))
        .stderr(Stdio::null())
        .spawn()
        .expect("postgres runs")
}

fn add(file: &Path, lines: &str) {
    let before = std::fs::read_to_string(file).expect("initdb wrote it");
    std::fs::write(file, format!("{before}\n{lines}")).expect("written");
}

/// PostgreSQL does not run as root: root's tests run it as `postgres`.
struct Owner(Option<(u32, u32)>);

impl Owner {
    fn find() -> Self {
        let root = number(&["-u"]) == Some(0);
        let ids = || Some((number(&["-u", "postgres"])?, number(&["-g", "postgres"])?));
        Self(root.then(ids).flatten())
    }

    fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        if let Some((user, group)) = self.0 {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("root may");
        }
        folder
    }

    fn mount_disk(&self, folder: &Path, mebibytes: u32) {
        let (user, group) = self.0.expect("root mounts");
        let options = format!("size={mebibytes}m,mode=700,uid={user},gid={group}");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).status();
        assert!(mounted.expect("mount runs").success());
    }

    fn run(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.current_dir("/").stdout(Stdio::null());
        command
    }
}

fn number(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}
