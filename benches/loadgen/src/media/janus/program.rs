//! The Janus program: its configuration, and what makes it work on one machine.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{namespace, process::Process};

/// Where its signaling listens.
pub const SIGNALING: u16 = 18_188;
const PATIENCE: Duration = Duration::from_secs(15);

/// libnice binds its sockets to the interface whose address it was given, by either option; packets of this machine come
/// and go by loopback.
const UNBIND: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>
int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
    static int (*real)(int, int, int, const void *, socklen_t);
    if (!real) real = (int (*)(int, int, int, const void *, socklen_t)) dlsym(RTLD_NEXT, "setsockopt");
    int binds = (level == SOL_SOCKET && name == SO_BINDTODEVICE) || (level == IPPROTO_IP && name == IP_UNICAST_IF);
    return binds ? 0 : real(fd, level, name, value, length);
}
"#;

/// Stopped, and its folder removed, when dropped.
pub struct Program {
    child: Child,
    folder: PathBuf,
}

impl Program {
    pub fn start() -> anyhow::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("qism-janus-{}-{}", std::process::id(), rand::random::<u32>()));
        fs::create_dir_all(&folder)?;
        configure(&folder)?;
        let shim = compile(&folder)?;
        let log = fs::File::create(folder.join("log"))?;
        let child = Command::new("janus")
            .arg("-F")
            .arg(&folder)
            .env("LD_PRELOAD", shim)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the program `janus` is not there (tools/setup.sh janus)")?;
        let mut program = Self { child, folder };
        program.wait()?;
        Ok(program)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", SIGNALING)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("janus ended: {status}: {}", self.log());
            }
            if Instant::now() > until {
                bail!("janus does not listen: {}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The end of what it said.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(1)..].join(" ")
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Two event loops, ICE-lite, the videoroom and WebSockets only.
fn configure(folder: &Path) -> anyhow::Result<()> {
    let address = namespace::ADDRESS;
    let others = ["audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming"];
    let more = ["textroom", "videocall", "voicemail"];
    let plugins: Vec<String> = others.iter().chain(&more).map(|name| format!("libjanus_{name}.so")).collect();
    let transports =
        ["http", "mqtt", "nanomsg", "pfunix", "rabbitmq"].map(|name| format!("libjanus_{name}.so"));
    let main = format!(
        "general: {{ configs_folder = \"{folder}\"\n debug_level = 4\n event_loops = 2\n session_timeout = 0\n }}\n\
         media: {{ rtp_port_range = \"20000-60000\"\n }}\n\
         nat: {{ ice_lite = true\n ice_enforce_list = \"{address}\"\n ignore_mdns = true\n nice_debug = false\n }}\n\
         plugins: {{ disable = \"{}\"\n }}\n\
         transports: {{ disable = \"{}\"\n }}\n\
         loggers: {{ disable = \"libjanus_jsonlog.so\"\n }}\n\
         events: {{ broadcast = false\n }}\n",
        plugins.join(","),
        transports.join(","),
        folder = folder.display(),
    );
    fs::write(folder.join("janus.jcfg"), main)?;
    let websockets = format!(
        "general: {{ json = \"compact\"\n ws = true\n ws_port = {SIGNALING}\n ws_ip = \"127.0.0.1\"\n wss = false\n }}\n\
         admin: {{ admin_ws = false\n admin_wss = false\n }}\n"
    );
    fs::write(folder.join("janus.transport.websockets.jcfg"), websockets)?;
    fs::write(folder.join("janus.plugin.videoroom.jcfg"), "general: { }\n")?;
    Ok(())
}

fn compile(folder: &Path) -> anyhow::Result<PathBuf> {
    let (source, shim) = (folder.join("unbind.c"), folder.join("unbind.so"));
    fs::write(&source, UNBIND)?;
    let done = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .arg(&shim)
        .arg(&source)
        .arg("-ldl")
        .status()
        .context("cc")?;
    if !done.success() {
        bail!("cc: {done}");
    }
    Ok(shim)
}
