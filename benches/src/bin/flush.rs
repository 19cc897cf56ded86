//! Which way of handing one frame to many sockets costs the server least, on this kernel.
//!
//! The server's thread sits on core 0, a second process drains on core 1. Every variant sends the same frames over the
//! same sockets, one round after another in turn, so that a noisy neighbour hits all of them; what is compared is the
//! process' CPU time for each send (kernel workers included), as the median of the ratios within each turn.
//!
//! It does not measure latency, nor a network card: on loopback the sender also pays for the receiver's half of TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hookcast_benches::cpu;
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, Submitter, opcode, squeue, types};
use rustix::event::epoll;
use rustix::net::SendFlags;

const FRAME_BYTES: usize = 300;
const RING_ENTRIES: u32 = 4096;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "drain") {
        return drain(&args[1], args[2].parse().expect("a number of connections"));
    }
    let rounds = args
        .first()
        .map_or(41, |a| a.parse().expect("a number of rounds"));
    for connections in [1000, 5000] {
        run(connections, rounds);
    }
}

/// One way of sending `frames` copies of the frame to every socket. Returns how many sends were refused.
type Send<'a> = Box<dyn FnMut(&[RawFd], usize) -> usize + 'a>;

struct Variant<'a> {
    name: String,
    frames: usize,
    send: Send<'a>,
}

fn run(connections: usize, rounds: usize) {
    cpu::pin(0).expect("core 0");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let mut child = Command::new(std::env::current_exe().expect("own path"))
        .args(["drain", &address, &connections.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the draining process");
    let sockets: Vec<TcpStream> = (0..connections)
        .map(|_| {
            let (socket, _) = listener.accept().expect("a connection");
            socket.set_nonblocking(true).expect("non-blocking");
            socket.set_nodelay(true).expect("no delay");
            socket
        })
        .collect();
    let fds: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
    let frame = vec![b'x'; FRAME_BYTES];
    let joined = vec![b'x'; FRAME_BYTES * 32];

    let shuffled = shuffle(&fds);

    let mut variants = Vec::new();
    variants.push(Variant {
        name: "send(2)".into(),
        frames: 1,
        send: Box::new(|fds, _| plain(fds, &frame)),
    });
    variants.push(Variant {
        name: "send(2), sockets in random order".into(),
        frames: 1,
        send: Box::new(|_, _| plain(&shuffled, &frame)),
    });
    for iovecs in [1, 8, 32] {
        if iovecs > 1 {
            variants.push(Variant {
                name: format!("send(2) of {iovecs} joined frames"),
                frames: iovecs,
                send: Box::new(|fds, frames| plain(fds, &joined[..frames * FRAME_BYTES])),
            });
        }
        variants.push(Variant {
            name: format!("sendmsg(2) of {iovecs} iovecs"),
            frames: iovecs,
            send: Box::new(|fds, frames| vectored(fds, &frame, frames)),
        });
    }
    for setup in [Setup::Default, Setup::Coop, Setup::Defer] {
        for (fixed, ring_fd, skip, batch) in [
            (false, false, false, 256),
            (false, false, true, 256),
            (true, false, true, 256),
            (true, true, true, 64),
            (true, true, true, 256),
            (true, true, true, 1024),
        ] {
            let mut ring = Ring::new(setup, fixed.then_some(&fds[..]), ring_fd, skip, batch);
            let frame = &frame;
            variants.push(Variant {
                name: format!(
                    "ring {setup:?}{}{}{} batch {batch}",
                    if fixed { " fixed-files" } else { "" },
                    if ring_fd { " ring-fd" } else { "" },
                    if skip { " skip-success" } else { "" }
                ),
                frames: 1,
                send: Box::new(move |fds, _| ring.send(fds, frame)),
            });
        }
    }

    let mut drainer = Drainer::new(&mut child);
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); variants.len()];
    let mut refused = 0;
    for round in 0..rounds + 3 {
        // Each turn starts elsewhere, so that no variant always runs after the same neighbour.
        for k in 0..variants.len() {
            let index = (k + round * 7) % variants.len();
            let variant = &mut variants[index];
            drainer.expect(connections * variant.frames * FRAME_BYTES);
            let before = cpu::of_this_process();
            refused += (variant.send)(&fds, variant.frames);
            let spent = cpu::of_this_process() - before;
            drainer.wait();
            std::thread::sleep(Duration::from_millis(2));
            if round >= 3 {
                costs[index].push(spent.as_secs_f64() * 1e6 / (connections * variant.frames) as f64);
            }
        }
    }
    println!("\n{connections} sockets, {FRAME_BYTES}-byte frames, {rounds} rounds, {refused} sends refused");
    println!(
        "{:<52} {:>12} {:>12} {:>8}",
        "variant", "us per frame", "us per send", "ratio"
    );
    for (index, variant) in variants.iter().enumerate() {
        let ratios: Vec<f64> = costs[index].iter().zip(&costs[0]).map(|(a, b)| a / b).collect();
        let cost = median(&costs[index]);
        println!(
            "{:<52} {cost:>12.3} {:>12.3} {:>8.3}",
            variant.name,
            cost * variant.frames as f64,
            median(&ratios)
        );
    }
    child.kill().expect("the drainer ends");
    child.wait().expect("the drainer ended");
}

/// The same sockets in an order that neither the allocator nor the prefetcher knows.
fn shuffle(fds: &[RawFd]) -> Vec<RawFd> {
    let mut shuffled = fds.to_vec();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..shuffled.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        shuffled.swap(
            index,
            usize::try_from(state >> 33).expect("31 bits") % (index + 1),
        );
    }
    shuffled
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn borrow(fd: &RawFd) -> rustix::fd::BorrowedFd<'_> {
    // SAFETY: the sockets outlive every round; the descriptors are theirs.
    unsafe { rustix::fd::BorrowedFd::borrow_raw(*fd) }
}

fn plain(fds: &[RawFd], frame: &[u8]) -> usize {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    fds.iter()
        .filter(|fd| rustix::net::send(borrow(fd), frame, flags) != Ok(frame.len()))
        .count()
}

fn vectored(fds: &[RawFd], frame: &[u8], frames: usize) -> usize {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let iovecs: Vec<std::io::IoSlice<'_>> = (0..frames).map(|_| std::io::IoSlice::new(frame)).collect();
    fds.iter()
        .filter(|fd| {
            rustix::net::sendmsg(
                borrow(fd),
                &iovecs,
                &mut rustix::net::SendAncillaryBuffer::default(),
                flags,
            ) != Ok(frames * frame.len())
        })
        .count()
}

#[derive(Clone, Copy, Debug)]
enum Setup {
    Default,
    Coop,
    Defer,
}

impl Setup {
    fn ring(self, entries: u32) -> IoUring {
        let mut builder = IoUring::builder();
        match self {
            Setup::Default => {}
            Setup::Coop => {
                builder.setup_coop_taskrun();
            }
            Setup::Defer => {
                builder.setup_single_issuer().setup_defer_taskrun();
            }
        }
        builder.build(entries).expect("a ring")
    }
}

struct Ring {
    submitter: Submitter<'static>,
    queue: SubmissionQueue<'static>,
    completions: CompletionQueue<'static>,
    ring_fd: bool,
    fixed: bool,
    skip: bool,
    batch: usize,
}

impl Ring {
    fn new(setup: Setup, files: Option<&[RawFd]>, ring_fd: bool, skip: bool, batch: usize) -> Self {
        // A registered descriptor lives in the submitter, which borrows its ring: the ring is given away for good.
        let ring: &'static mut IoUring = Box::leak(Box::new(setup.ring(RING_ENTRIES)));
        let (mut submitter, queue, completions) = ring.split();
        if let Some(files) = files {
            submitter.register_files(files).expect("registered files");
        }
        if ring_fd {
            submitter.register_ring_fd().expect("a registered ring");
        }
        Self {
            submitter,
            queue,
            completions,
            ring_fd,
            fixed: files.is_some(),
            skip,
            batch,
        }
    }

    fn send(&mut self, fds: &[RawFd], frame: &[u8]) -> usize {
        let mut refused = 0;
        let length = u32::try_from(frame.len()).expect("a small frame");
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        for (start, chunk) in fds.chunks(self.batch).enumerate() {
            for (offset, fd) in chunk.iter().enumerate() {
                let index = start * self.batch + offset;
                let entry = if self.fixed {
                    let file = types::Fixed(u32::try_from(index).expect("a small index"));
                    opcode::Send::new(file, frame.as_ptr(), length)
                        .flags(flags)
                        .build()
                } else {
                    opcode::Send::new(types::Fd(*fd), frame.as_ptr(), length)
                        .flags(flags)
                        .build()
                };
                let entry = entry.user_data(index as u64);
                let entry = if self.skip {
                    entry.flags(squeue::Flags::SKIP_SUCCESS)
                } else {
                    entry
                };
                // SAFETY: the frame outlives the send, which MSG_DONTWAIT completes inside the submission.
                unsafe { self.queue.push(&entry).expect("the batch fits the ring") };
            }
            self.queue.sync();
            self.submitter.submit().expect("a submission");
            self.completions.sync();
            refused += self
                .completions
                .by_ref()
                .filter(|entry| entry.result() != length.cast_signed())
                .count();
        }
        refused
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.ring_fd {
            // A thread has sixteen places for registered rings.
            self.submitter.unregister_ring_fd().expect("it was registered");
        }
    }
}

/// The other process' side: told how many bytes to wait for, it answers with one byte once they are all there.
struct Drainer<'a> {
    input: &'a mut std::process::ChildStdin,
    output: &'a mut std::process::ChildStdout,
}

impl<'a> Drainer<'a> {
    fn new(child: &'a mut Child) -> Self {
        Self {
            input: child.stdin.as_mut().expect("piped"),
            output: child.stdout.as_mut().expect("piped"),
        }
    }

    fn expect(&mut self, bytes: usize) {
        writeln!(self.input, "{bytes}").expect("the drainer listens");
    }

    fn wait(&mut self) {
        self.output.read_exact(&mut [0]).expect("the drainer answers");
    }
}

fn drain(address: &str, connections: usize) {
    cpu::pin(1).expect("core 1");
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let sockets: Vec<TcpStream> = (0..connections)
        .map(|index| {
            let socket = TcpStream::connect(address).expect("a connection");
            socket.set_nonblocking(true).expect("non-blocking");
            epoll::add(
                &epoll,
                &socket,
                epoll::EventData::new_u64(index as u64),
                epoll::EventFlags::IN,
            )
            .expect("registered");
            socket
        })
        .collect();
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; 65536];
    let mut line = String::new();
    while input.read_line(&mut line).expect("the parent speaks") > 0 {
        let mut missing: usize = line.trim().parse().expect("a number of bytes");
        line.clear();
        while missing > 0 {
            rustix::io::retry_on_intr(|| {
                epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None)
            })
            .expect("events");
            for event in events.drain(..) {
                let index = usize::try_from(event.data.u64()).expect("an index");
                missing -= (&sockets[index]).read(&mut buffer).expect("bytes");
            }
        }
        let mut out = std::io::stdout().lock();
        out.write_all(b".")
            .and_then(|()| out.flush())
            .expect("the parent listens");
    }
}
