//! Waking a shard from another thread: one byte through a socket pair, and only on empty → non-empty.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The end that other threads hold.
pub struct Wake {
    pipe: UnixStream,
    pending: AtomicBool,
    sent: AtomicU64,
}

impl Wake {
    /// Tells the shard that something was queued for it. Free while an earlier wake-up is still to be seen.
    pub fn wake(&self) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            self.sent.fetch_add(1, Ordering::Relaxed);
            // A full pipe has a wake-up in it already; a closed one belongs to a shard that has stopped.
            let _ = (&self.pipe).write(&[1]);
        }
    }

    /// Wake-ups that cost a system call so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// The end that the shard waits on.
pub struct WakeReceiver {
    pipe: UnixStream,
    wake: Arc<Wake>,
}

/// A pair of ends, both non-blocking.
pub fn pair() -> io::Result<(Arc<Wake>, WakeReceiver)> {
    let (sender, receiver) = UnixStream::pair()?;
    sender.set_nonblocking(true)?;
    receiver.set_nonblocking(true)?;
    let wake = Arc::new(Wake {
        pipe: sender,
        pending: AtomicBool::new(false),
        sent: AtomicU64::new(0),
    });
    Ok((Arc::clone(&wake), WakeReceiver { pipe: receiver, wake }))
}

impl WakeReceiver {
    /// Registers the receiving end with this thread's runtime.
    pub fn listen(self) -> io::Result<WakeListener> {
        let reader = self.pipe.try_clone()?;
        Ok(WakeListener {
            readiness: monoio::net::UnixStream::from_std(self.pipe)?,
            reader,
            wake: self.wake,
        })
    }
}

pub struct WakeListener {
    readiness: monoio::net::UnixStream,
    reader: UnixStream,
    wake: Arc<Wake>,
}

impl WakeListener {
    /// Waits for the next wake-up. Whatever was queued before it returns can be seen by the caller: the flag is
    /// cleared first, so a message queued after that brings a wake-up of its own. Cancel-safe.
    pub async fn woken(&mut self) -> io::Result<()> {
        self.readiness.readable(false).await?;
        let mut bytes = [0; 16];
        match self.reader.read(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        self.wake.pending.store(false, Ordering::SeqCst);
        Ok(())
    }
}
