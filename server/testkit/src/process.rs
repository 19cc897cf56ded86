//! The process that serves, whoever started it.

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, waitpid};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};

pub enum Process {
    Started(Child),
    /// Started by a relay that handed over to it: it becomes this process's child when that one has ended.
    Adopted(Pid),
}

impl Process {
    /// Has orphans of relays become this process's children, so that they can be waited for.
    pub fn adopt_orphans() {
        let me = rustix::process::getpid();
        set_child_subreaper(Some(me)).expect("orphans may be adopted");
    }

    pub fn id(&self) -> u32 {
        match self {
            Self::Started(child) => child.id(),
            Self::Adopted(pid) => u32::try_from(pid.as_raw_pid()).expect("a process id"),
        }
    }

    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Self::Started(child) => child.try_wait(),
            Self::Adopted(pid) => match waitpid(Some(*pid), WaitOptions::NOHANG) {
                Ok(ended) => Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw()))),
                // Its first parent has yet to end.
                Err(rustix::io::Errno::CHILD) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("not 0");
        kill_process(pid, signal).expect("the process takes the signal");
    }

    /// At a test's end, whatever came of it.
    pub fn end(&mut self) {
        match self {
            Self::Started(child) => {
                let _gone = child.kill();
                let _reaped = child.wait();
            }
            Self::Adopted(pid) => {
                let _gone = kill_process(*pid, Signal::KILL);
                let _reaped = waitpid(Some(*pid), WaitOptions::empty());
            }
        }
    }
}
