//! Passwords, off the shards: argon2id on threads of their own, few and of low priority, so that no number of log-ins slows
//! a publish. What waits is bounded; more is refused.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures_channel::oneshot;

use super::exchange::Failure;

/// Each hash uses 19 MiB for some 30 ms: two at once are enough for people, and cost 38 MiB.
const THREADS: usize = 2;
/// A second of work. A person who meets a full queue tries again.
const WAITING_MAX: usize = 32;
/// Below everything that serves traffic.
const NICE: i32 = 10;

pub const CHARS_MIN: usize = 12;
/// argon2 takes gigabytes; nobody types them.
pub const BYTES_MAX: usize = 1024;

type Job = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// A clone is the same pool.
#[derive(Clone)]
pub struct Passwords {
    jobs: SyncSender<Job>,
    /// What a password is compared with where there is no account, so that both answers take as long.
    decoy: Arc<str>,
}

/// How dear a hash is.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for Cost {
    /// OWASP's first recommendation for argon2id.
    fn default() -> Cost {
        Cost {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

impl Cost {
    fn hasher(self) -> Argon2<'static> {
        let params =
            Params::new(self.memory_kib, self.passes, 1, None).expect("the costs are within argon2's bounds");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }
}

impl Passwords {
    pub fn start(cost: Cost) -> std::io::Result<Passwords> {
        let (jobs, queue) = sync_channel::<Job>(WAITING_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..THREADS {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&queue, cost))?;
        }
        Ok(Passwords {
            jobs,
            decoy: decoy(cost).into(),
        })
    }

    /// The password's PHC string, for the store.
    pub async fn hash(&self, password: &str) -> Result<String, Failure> {
        let password = password.to_owned();
        self.run(move |hasher| hash(hasher, &password)).await
    }

    /// Whether the password is the one that was hashed. `None` stands for an account that is not there: never true, and as
    /// slow as any other.
    pub async fn verify(&self, password: &str, kept: Option<&str>) -> Result<bool, Failure> {
        let known = kept.is_some();
        let kept = kept.unwrap_or(&self.decoy).to_owned();
        let password = password.get(..BYTES_MAX).unwrap_or(password).to_owned();
        let same = self
            .run(move |hasher| {
                PasswordHash::new(&kept)
                    .is_ok_and(|kept| hasher.verify_password(password.as_bytes(), &kept).is_ok())
            })
            .await?;
        Ok(same && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let busy = || Failure::unavailable("too many log-ins at once: try again in a moment");
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Whoever gave up waiting (a closed page) costs no hash.
            if !reply.is_canceled() {
                drop(reply.send(work(hasher)));
            }
        });
        self.jobs.try_send(job).map_err(|_| busy())?;
        answer.await.map_err(|_| busy())
    }
}

/// For the command line, which has no pool.
pub fn hash_once(password: &str) -> String {
    hash(&Cost::default().hasher(), password)
}

/// Why a password is not taken.
pub fn check(password: &str) -> Result<(), String> {
    if password.chars().count() < CHARS_MIN {
        return Err(format!(
            "use at least {CHARS_MIN} characters; a few words in a row are easy to remember"
        ));
    }
    if password.len() > BYTES_MAX {
        return Err(format!("use at most {BYTES_MAX} bytes"));
    }
    let first = password.chars().next();
    if password.chars().all(|c| Some(c) == first) {
        return Err("use more than one character".to_owned());
    }
    Ok(())
}

fn hash(hasher: &Argon2<'static>, password: &str) -> String {
    hasher
        .hash_password(password.as_bytes())
        .expect("a password of bounded length can be hashed")
        .to_string()
}

/// A hash that no password is known for. Made up, because making one would take 19 MiB at each start, which the allocator
/// would then keep.
fn decoy(cost: Cost) -> String {
    let (mut salt, mut hash) = ([0; 16], [0; 32]);
    for bytes in [&mut salt[..], &mut hash[..]] {
        getrandom::fill(bytes).expect("the kernel gives random bytes");
    }
    let Cost { memory_kib, passes } = cost;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${hash}")
}

fn work(queue: &Mutex<Receiver<Job>>, cost: Cost) {
    // On Linux this is the thread's own priority. Where it is not allowed, the pool works at the usual one.
    let _ = rustix::process::nice(NICE);
    let hasher = cost.hasher();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(&hasher),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    /// As cheap as argon2 goes.
    pub const CHEAP: Cost = Cost {
        memory_kib: 8,
        passes: 1,
    };

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let pool = Passwords::start(CHEAP).unwrap();
        let kept = block_on(pool.hash("correct horse battery")).unwrap();
        assert!(kept.starts_with("$argon2id$"), "{kept}");
        assert!(block_on(pool.verify("correct horse battery", Some(&kept))).unwrap());
        assert!(!block_on(pool.verify("correct horse", Some(&kept))).unwrap());
        assert!(!block_on(pool.verify("correct horse battery", None)).unwrap());
        assert!(!block_on(pool.verify("x", Some("not a hash"))).unwrap());
    }

    #[test]
    fn the_decoy_is_a_hash_like_any_other() {
        let (made_up, real) = (decoy(CHEAP), hash(&CHEAP.hasher(), "correct horse battery"));
        let costs = |hash: &str| PasswordHash::new(hash).unwrap().params.to_string();
        assert_eq!(costs(&made_up), costs(&real));
        assert_eq!(made_up.len(), real.len(), "{made_up} {real}");
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let pool = Passwords::start(CHEAP).unwrap();
        let hash = || block_on(pool.hash("correct horse battery")).unwrap();
        assert_ne!(hash(), hash());
    }

    #[test]
    fn what_waits_is_bounded_and_the_rest_is_told_to_come_back() {
        let pool = Passwords::start(CHEAP).unwrap();
        let (open, closed) = std::sync::mpsc::channel::<()>();
        let closed = Arc::new(Mutex::new(closed));
        // Both threads wait at the gate; everything after them queues.
        let waiting: Vec<_> = (0..THREADS + WAITING_MAX + 5)
            .map(|_| {
                let closed = Arc::clone(&closed);
                let mut job = Box::pin(pool.run(move |_| assert!(closed.lock().unwrap().recv().is_err())));
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                match job.as_mut().poll(&mut cx) {
                    std::task::Poll::Ready(Err(failure)) => Err(failure),
                    _ => Ok(job),
                }
            })
            .collect();
        let refused: Vec<_> = waiting.iter().filter_map(|job| job.as_ref().err()).collect();
        assert!(refused.len() >= 5, "{}", refused.len());
        assert!(refused.iter().all(|failure| failure.status == 503));
        drop(open);
        for job in waiting.into_iter().flatten() {
            block_on(job).unwrap();
        }
    }

    #[test]
    fn weak_passwords_are_refused() {
        check("a few words here").unwrap();
        for weak in ["", "short", "aaaaaaaaaaaaaaaa", &"ab".repeat(BYTES_MAX)] {
            check(weak).unwrap_err();
        }
    }
}
