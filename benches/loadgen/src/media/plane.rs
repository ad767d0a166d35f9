//! Many lessons on one media plane: the SFU of the release program in a process of its own, without school and sockets,
//! obeying lines on its standard input. A hundred lessons of twenty must cost per packet what one of two thousand does. Two planes
//! that know each other are two nodes ([`super::relay`]).

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use qism::sfu::{Membership, Neighbor, SHARE, Sfu, SfuConfig};
use qism_signaling::{
    hub::ports::{LayerCap, Leg, MediaError, MediaOrder, MediaPlane as _},
    protocol::{
        IncarnationId, LegKind, LessonId, Publication, SessionId, Slot, Source, UserId, media::OfferedTrack,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    Effort,
    audience::Audience,
    publisher::{Pattern, Publisher},
    put_cost,
    rates::{LEAST_WHOLE, MOST_LOST},
    ratio,
    rounds::Rounds,
    sdp::Remote,
    transport::{Identity, Transport},
};
use crate::{
    figures::Figures,
    process::{Process, seconds_between},
};

const LESSONS: usize = 100;
const STUDENTS: usize = 20;
const WARMING: Duration = Duration::from_secs(2);
const THREADS: usize = 2;
/// A user of each lesson: nobody else is 0.
const TEACHER: u32 = 0;

/// Of planes that nobody else reaches.
const KEY: [u8; 32] = [7; 32];

/// A line to the child; it answers each by one line.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    Publish {
        lesson: u32,
        sdp: String,
    },
    Subscribe {
        lesson: u32,
        student: u32,
    },
    Answer {
        lesson: u32,
        student: u32,
        sdp: String,
    },
    /// Who are you to other planes?
    Introduce,
    /// These other planes live.
    Meet(Vec<Introduction>),
    /// The teacher of this lesson is there.
    Elsewhere {
        lesson: u32,
        node: IncarnationId,
    },
    /// What has crossed to other planes?
    Crossed,
}

/// What a plane tells another of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Introduction {
    pub node: IncarnationId,
    doors: Vec<SocketAddr>,
    fingerprint: String,
}

/// What a plane has sent to others since its start.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Crossed {
    pub packets_out: u64,
    pub bytes_out: u64,
    /// The link had no room for them.
    pub left_out: u64,
}

/// The child: obeys until its input ends.
pub async fn serve() -> anyhow::Result<()> {
    let (events, mut unheard) = mpsc::channel(1_024);
    tokio::spawn(async move { while unheard.recv().await.is_some() {} });
    let node = IncarnationId(Uuid::now_v7());
    let config = SfuConfig {
        listen: vec!["127.0.0.1".parse()?],
        udp_port: 0,
        threads: THREADS,
        share: SHARE,
        tcp: None,
        public_addresses: Vec::new(),
        cluster: Some(Membership { incarnation: node, key: KEY }),
    };
    let sfu = Sfu::start(config, events)?;
    for line in std::io::stdin().lines() {
        let said = obey(&sfu, node, serde_json::from_str(&line?)?).await?;
        println!("{}", serde_json::to_string(&said)?);
    }
    Ok(())
}

async fn obey(sfu: &Sfu, node: IncarnationId, ask: Ask) -> anyhow::Result<String> {
    let (reply, said) = oneshot::channel();
    match ask {
        Ask::Introduce => {
            let (doors, fingerprint) = (sfu.doors().to_vec(), sfu.fingerprint().to_owned());
            return Ok(serde_json::to_string(&Introduction { node, doors, fingerprint })?);
        }
        Ask::Meet(others) => {
            let neighbor = |Introduction { node: incarnation, doors, fingerprint }| Neighbor {
                incarnation,
                doors,
                fingerprint,
            };
            sfu.meet(others.into_iter().map(neighbor).collect());
            return Ok(String::new());
        }
        Ask::Elsewhere { lesson, node } => {
            let leg = leg(lesson, TEACHER, LegKind::Publisher);
            permit(sfu, leg);
            sfu.order(MediaOrder::Origin { lesson: leg.lesson, user: leg.user, node: Some(node) });
            return Ok(String::new());
        }
        Ask::Crossed => {
            let totals = sfu.counters();
            let crossed = Crossed {
                packets_out: totals.relay_packets_out,
                bytes_out: totals.relay_bytes_out,
                left_out: totals.relay_packets_left_out,
            };
            return Ok(serde_json::to_string(&crossed)?);
        }
        Ask::Publish { lesson, sdp } => {
            let leg = leg(lesson, TEACHER, LegKind::Publisher);
            permit(sfu, leg);
            let tracks = [("0", Source::Microphone), ("1", Source::Camera)];
            let tracks = tracks.map(|(mid, source)| OfferedTrack { mid: mid.into(), source }).to_vec();
            sfu.order(MediaOrder::Publish { leg, offer: sdp, tracks, reply });
        }
        Ask::Subscribe { lesson, student } => {
            let leg = leg(lesson, student, LegKind::Subscriber);
            sfu.order(MediaOrder::Subscribe { leg, cameras: 2, reply });
        }
        Ask::Answer { lesson, student, sdp } => {
            let (reply, accepted) = oneshot::channel();
            let leg = leg(lesson, student, LegKind::Subscriber);
            sfu.order(MediaOrder::SubscriberAnswer { leg, answer: sdp, reply });
            accepted.await??;
            assign(sfu, leg, Slot::TEACHER_AUDIO, Source::Microphone);
            assign(sfu, leg, Slot::FIRST_CAMERA, Source::Camera);
            return Ok(String::new());
        }
    }
    let said: Result<String, MediaError> = said.await?;
    Ok(said?)
}

fn permit(sfu: &Sfu, leg: Leg) {
    let sources = vec![Source::Microphone, Source::Camera];
    sfu.order(MediaOrder::Permit { lesson: leg.lesson, user: leg.user, sources });
}

fn assign(sfu: &Sfu, leg: Leg, slot: Slot, source: Source) {
    let user = self::leg(0, TEACHER, LegKind::Publisher).user;
    let publication = Some(Publication { user, source });
    sfu.order(MediaOrder::Assign { leg, slot, publication, cap: LayerCap::FULL });
}

fn leg(lesson: u32, user: u32, kind: LegKind) -> Leg {
    let id = |number: u32| Uuid::from_u128(u128::from(number));
    Leg { lesson: LessonId(id(lesson)), user: UserId(id(user)), session: SessionId(id(user)), kind }
}

/// The parent's side of the child.
pub struct Plane {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Plane {
    pub fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--plane")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        // Invariant: both were piped one line above.
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        Ok(Self { child, input, output })
    }

    fn ask(&mut self, ask: &Ask) -> anyhow::Result<String> {
        writeln!(self.input, "{}", serde_json::to_string(ask)?)?;
        let line = self.output.next().context("the media plane ended")??;
        Ok(serde_json::from_str(&line)?)
    }

    fn learn<T: DeserializeOwned>(&mut self, ask: &Ask) -> anyhow::Result<T> {
        Ok(serde_json::from_str(&self.ask(ask)?)?)
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Makes the planes nodes of one school, of which each knows this one; tells who it is.
    pub fn meet(&mut self, others: &mut [Self]) -> anyhow::Result<IncarnationId> {
        let own: Introduction = self.learn(&Ask::Introduce)?;
        let mut known = Vec::new();
        for other in others {
            known.push(other.learn(&Ask::Introduce)?);
            other.ask(&Ask::Meet(vec![own.clone()]))?;
        }
        self.ask(&Ask::Meet(known))?;
        Ok(own.node)
    }

    /// The teacher of a lesson is on another plane.
    pub fn elsewhere(&mut self, lesson: u32, node: IncarnationId) -> anyhow::Result<()> {
        self.ask(&Ask::Elsewhere { lesson, node }).map(drop)
    }

    pub fn crossed(&mut self) -> anyhow::Result<Crossed> {
        self.learn(&Ask::Crossed)
    }

    /// A student of a lesson receives everything, at a place of the audience.
    pub async fn subscribe(
        &mut self,
        (lesson, student): (u32, u32),
        audience: &Audience,
        place: usize,
    ) -> anyhow::Result<()> {
        let offer = self.ask(&Ask::Subscribe { lesson, student })?;
        let sdp = audience.join(place, &offer)?;
        self.ask(&Ask::Answer { lesson, student, sdp })?;
        audience.is_up(place).await
    }

    pub fn publish(&mut self, lesson: u32, start: Instant) -> anyhow::Result<Publisher> {
        let identity = Arc::new(Identity::generate()?);
        let (local, offer) = Publisher::offer(&identity);
        let answer = self.ask(&Ask::Publish { lesson, sdp: offer })?;
        Publisher::start(Transport::new(identity, local, Remote::of(&answer)?, Instant::now()), start)
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lessons of equal size on a plane of their own.
struct Lessons {
    plane: Plane,
    publishers: Vec<Publisher>,
    audience: Audience,
}

impl Lessons {
    async fn open(lessons: usize, students: usize) -> anyhow::Result<Self> {
        let (mut plane, start) = (Plane::start()?, Instant::now());
        let audience = Audience::new(lessons * students, start)?;
        let mut publishers = Vec::new();
        for lesson in 0..lessons as u32 {
            publishers.push(tokio::task::block_in_place(|| plane.publish(lesson, start))?);
            for number in 0..students {
                let (student, place) = (1 + number as u32, lesson as usize * students + number);
                plane.subscribe((lesson, student), &audience, place).await?;
            }
        }
        Ok(Self { plane, publishers, audience })
    }

    /// Microseconds of CPU by delivered packet; `None` when the round is void.
    async fn round(&self, name: &str, during: Duration) -> anyhow::Result<Option<f64>> {
        self.publishers.iter().for_each(|publisher| publisher.send(Pattern::Sparse));
        tokio::time::sleep(WARMING).await;
        self.audience.restart();
        let process = self.plane.process();
        let (cpu, began) = (process.cpu(), Instant::now());
        tokio::time::sleep(during).await;
        let (after, heard) = (process.cpu(), self.audience.heard());
        let rate = heard.packets as f64 / began.elapsed().as_secs_f64();
        let whole = Pattern::Sparse.packets_per_second() * self.audience.up() as f64;
        self.publishers.iter().for_each(|publisher| publisher.send(Pattern::Nothing));
        if heard.packets == 0 {
            bail!("{name}: nothing was heard");
        }
        let cost = seconds_between(&cpu, &after) * 1e6 / heard.packets as f64;
        let too_much_lost = heard.lost as f64 > (heard.lost + heard.packets) as f64 * MOST_LOST;
        let is_void = too_much_lost || rate < whole * LEAST_WHOLE;
        println!(
            "    {name:<16}{cost:>8.2} µs a packet, {} packets, {} lost{}",
            heard.packets,
            heard.lost,
            if is_void { ": void" } else { "" }
        );
        Ok((!is_void).then_some(cost))
    }
}

pub async fn run(effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let Effort { seconds, rounds, share, .. } = effort;
    let (lessons, during) = (LESSONS / share, Duration::from_secs(seconds));
    println!("media: {lessons} lessons of {STUDENTS} and one of {}", lessons * STUDENTS);
    let one = Lessons::open(1, lessons * STUDENTS).await?;
    let many = Lessons::open(lessons, STUDENTS).await?;
    let (mut of_one, mut of_many) = (Rounds::wanting(rounds), Rounds::wanting(rounds));
    while of_one.is_due() || of_many.is_due() {
        if of_one.is_due() {
            of_one.take(one.round("one", during).await?);
        }
        if of_many.is_due() {
            of_many.take(many.round("a hundred", during).await?);
        }
    }
    let (one, many) = (of_one.median(|cost| *cost), of_many.median(|cost| *cost));
    put_cost(figures, "media.one_lesson_us_per_packet.2000", one, &of_one);
    put_cost(figures, "media.hundred_lessons_us_per_packet.2000", many, &of_many);
    ratio(figures, "media.hundred_lessons_over_one", many, one);
    Ok(())
}
