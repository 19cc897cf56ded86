//! Starting other programs: in the project's root, with a time limit, and never left behind.

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The project's root, wherever the command was typed.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root")
        .to_owned()
}

/// The directory of build results, `CARGO_TARGET_DIR` or `target`.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Environment of every command that is started from here on.
static FOR_CHILDREN: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());

pub fn set_for_children(name: &'static str, value: &'static str) {
    FOR_CHILDREN.lock().expect("no holder panics").push((name, value));
}

/// A command that starts in the project's root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command.envs(FOR_CHILDREN.lock().expect("no holder panics").iter().copied());
    command
}

/// The cargo that started this program, with the arguments given.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Where `program` is on the path.
pub fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// The process groups that run now: ended by Ctrl-C as well as by their time limit.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// The thread that sleeps in [`wait_for_interrupt`].
static WAITING: Mutex<Option<std::thread::Thread>> = Mutex::new(None);

/// Run to the end, with the terminal's output; an exit other than 0 is an error that shows the command.
/// After `limit` the command and all its children are ended.
pub fn run(mut command: Command, limit: Duration) -> Result<()> {
    let shown = show(&command);
    println!("  $ {shown}");
    let status = wait(command.stdin(Stdio::null()), limit).with_context(|| shown.clone())?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Run to the end and return what it wrote to its standard output.
pub fn output(mut command: Command) -> Result<String> {
    let shown = show(&command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| shown.clone())?;
    if !output.status.success() {
        bail!(
            "`{shown}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no text"))
}

/// A server that runs until this is dropped: then it is asked to end, and ended if it has not after a while.
pub struct Background {
    child: Child,
    group: Pid,
}

/// Start a server in the background.
pub fn start(mut command: Command) -> Result<Background> {
    end_children_on_interrupt();
    let shown = show(&command);
    let child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| shown)?;
    let group = Pid::from_child(&child);
    RUNNING.lock().expect("no holder panics").push(group);
    Ok(Background { child, group })
}

impl Drop for Background {
    fn drop(&mut self) {
        let _gone = kill_process_group(self.group, Signal::TERM);
        // A database writes its pages back first.
        let _ended = wait_until(&mut self.child, Instant::now() + Duration::from_secs(10));
        let _gone = kill_process_group(self.group, Signal::KILL);
        let _reaped = self.child.wait();
        RUNNING
            .lock()
            .expect("no holder panics")
            .retain(|other| *other != self.group);
    }
}

/// Sleep until Ctrl-C, and return: the caller ends its servers in its own order. A second Ctrl-C ends everything at once.
pub fn wait_for_interrupt() {
    end_children_on_interrupt();
    *WAITING.lock().expect("no holder panics") = Some(std::thread::current());
    while WAITING.lock().expect("no holder panics").is_some() {
        std::thread::park();
    }
}

fn wait(command: &mut Command, limit: Duration) -> Result<ExitStatus> {
    end_children_on_interrupt();
    let mut child = command.process_group(0).spawn()?;
    let group = Pid::from_child(&child);
    RUNNING.lock().expect("no holder panics").push(group);
    let status = wait_until(&mut child, Instant::now() + limit);
    // What the command itself left running (a server that a failed test did not end) goes with it.
    let _gone = kill_process_group(group, Signal::KILL);
    RUNNING
        .lock()
        .expect("no holder panics")
        .retain(|other| *other != group);
    match status? {
        Some(status) => Ok(status),
        None => {
            child.wait()?;
            bail!("not done after {} s: ended", limit.as_secs())
        }
    }
}

fn wait_until(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end_children_on_interrupt() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if STARTED.swap(true, Ordering::Relaxed) {
        return;
    }
    let Ok(mut signals) = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ]) else {
        return;
    };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if let Some(thread) = WAITING.lock().expect("no holder panics").take() {
                thread.unpark();
                continue;
            }
            for group in RUNNING.lock().expect("no holder panics").iter() {
                let _gone = kill_process_group(*group, Signal::TERM);
            }
            std::process::exit(128 + signal);
        }
    });
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
