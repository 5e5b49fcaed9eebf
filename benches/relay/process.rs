//! What is measured, each in a process of its own: this relay, another build of it, stunnel.
//!
//! Processor time and memory are read from `/proc`, so this runs on Linux only. A process is killed when it is dropped.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `sysconf(_SC_CLK_TCK)`; it is 100 on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE: u64 = 4096;
/// For a process to begin to listen.
const START: Duration = Duration::from_secs(10);

/// Who passes the mail on.
#[derive(Clone)]
pub enum Candidate {
    /// A build of this relay.
    Relay { name: &'static str, program: PathBuf },
    /// Nothing but TLS: what the device says goes to the provider as it is.
    Stunnel,
}

impl Candidate {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Relay { name, .. } => name,
            Self::Stunnel => "stunnel",
        }
    }
}

/// A running candidate.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Process {
    /// Starts it between a port of its own and the provider.
    pub fn start(candidate: &Candidate, provider: SocketAddr, authority: &str) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let here = directory.path();
        std::fs::write(here.join("ca.pem"), authority)?;
        let address = free_address()?;
        let mut command = match candidate {
            Candidate::Relay { program, .. } => relay(program, here, address, provider)?,
            Candidate::Stunnel => stunnel(here, address, provider)?,
        };
        let log = File::create(here.join("log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let process = Self { child, address, directory };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > START {
                return Err(io::Error::other(std::fs::read_to_string(process.directory.path().join("log"))?));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(process)
    }

    /// Seconds of processor time so far, user and system.
    pub fn cpu(&self) -> io::Result<f64> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold anything; utime and stime are fields 14 and 15 of `proc(5)`.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Octets resident now.
    pub fn memory(&self) -> io::Result<u64> {
        let statm = self.read("statm")?;
        let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
        Ok(pages.unwrap_or_default() * PAGE)
    }

    /// The most octets that were ever resident.
    pub fn peak_memory(&self) -> io::Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024)
    }

    fn read(&self, file: &str) -> io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn relay(program: &Path, here: &Path, address: SocketAddr, provider: SocketAddr) -> io::Result<Command> {
    let configuration = format!(
        "hostname = \"relay.test\"\n\
         [[listeners]]\nname = \"bench\"\nbind = [\"{address}\"]\n\
         [sessions]\nmax = 1000\nper_device = 1000\n\
         [accounts.provider]\nhost = \"127.0.0.1\"\nport = {}\nencryption = \"implicit\"\nca_file = \"{}\"\n\
         address = \"scanner@example.com\"\npassword = \"correct horse\"\n\
         [storage]\ndirectory = \"{}\"\n",
        provider.port(),
        here.join("ca.pem").display(),
        here.display()
    );
    let file = here.join("posthouse.toml");
    std::fs::write(&file, configuration)?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(file);
    Ok(command)
}

fn stunnel(here: &Path, address: SocketAddr, provider: SocketAddr) -> io::Result<Command> {
    let configuration = format!(
        "foreground = yes\npid =\ndebug = 4\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n\
         [smtp]\nclient = yes\naccept = {address}\nconnect = {provider}\nverifyChain = yes\nCAfile = {}\n",
        here.join("ca.pem").display()
    );
    let file = here.join("stunnel.conf");
    std::fs::write(&file, configuration)?;
    let mut command = Command::new("stunnel4");
    command.arg(file);
    Ok(command)
}

/// A port nobody listens at. Somebody else could take it before it is used; then the run fails and says so.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}
