//! The phases of a run, in their order. A figure is put as soon as it is known.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use qism_client::{Person, Socket};
use qism_signaling::protocol::{LessonId, UserId};

use super::{
    attendee::Attendee,
    floor,
    room::Counts,
    samples::{Sample, Sampler},
    scenario::Scenario,
};
use crate::{
    figures::{Figures, quantile},
    media::{Audience, Pattern, Publisher, subscribe},
    process::{Process, seconds_between},
    server::{SETTLED, Server, Size, Stored, teacher_of},
};

/// People who enter at the same time.
const ENTERING: usize = 32;
/// People who come back at the same time: everybody wants to, and this machine has so many hands.
const RETURNING: usize = 256;
/// In each lesson so many measure the delay of lines; the rest count.
const MEASURING: usize = 2;
/// What is under way arrives within this.
const AFTERMATH: Duration = Duration::from_secs(1);

/// A school under load.
pub struct School {
    /// `None`: they ran before and run on.
    server: Option<Server>,
    pub scenario: Arc<Scenario>,
    urls: Vec<String>,
    counts: Arc<Counts>,
    sampler: Sampler,
    /// Names of the phases, with the seconds they began at.
    pub phases: Vec<(&'static str, f64)>,
    /// By lesson, teacher first.
    classes: Vec<Vec<Attendee>>,
    audience: Audience,
    publishers: Vec<Publisher>,
    /// What everybody's sitting takes.
    idle_cores: f64,
}

impl School {
    pub async fn open(program: &Path, scenario: Arc<Scenario>, start: Instant) -> anyhow::Result<Self> {
        let server = match scenario.servers.as_slice() {
            [] => {
                let size = Size { classes: scenario.lessons, students_per_class: scenario.students };
                Some(Server::start_school(program, size, Stored::Files)?)
            }
            _ => None,
        };
        let urls =
            server.as_ref().map_or_else(|| scenario.servers.clone(), |server| vec![server.url.clone()]);
        let counts = Arc::new(Counts::new(start));
        let process = server.as_ref().map(Server::process);
        let audience = Audience::new(scenario.media_lessons * scenario.students, start)?;
        let sampler = Sampler::start(counts.clone(), process);
        let (phases, classes, publishers) = (Vec::new(), Vec::new(), Vec::new());
        let idle_cores = 0.0;
        Ok(Self {
            server,
            scenario,
            urls,
            counts,
            sampler,
            phases,
            classes,
            audience,
            publishers,
            idle_cores,
        })
    }

    pub fn samples(&self) -> Vec<Sample> {
        self.sampler.samples()
    }

    pub async fn run(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        let people = self.sign_in(figures).await?;
        self.enter(people, figures).await?;
        self.idle(figures).await;
        self.teach(figures).await?;
        if self.scenario.cut {
            self.cut(figures).await?;
        }
        self.hands(figures).await?;
        figures.put("school.histories_broken", Counts::read(&self.counts.broken) as f64);
        Ok(())
    }

    fn begin(&mut self, phase: &'static str) {
        println!("school: {phase}");
        self.phases.push((phase, self.counts.start.elapsed().as_secs_f64()));
    }

    fn process(&self) -> Option<Process> {
        self.server.as_ref().map(Server::process)
    }

    /// By lesson, teacher first.
    async fn sign_in(&mut self, figures: &mut Figures) -> anyhow::Result<Vec<Vec<Person>>> {
        self.begin("signing in");
        let began = Instant::now();
        let mut classes = Vec::new();
        for lesson in 0..self.scenario.lessons {
            let first = lesson * self.scenario.students;
            let students = (1..=self.scenario.students).map(|n| format!("student{}", first + n));
            let logins = std::iter::once(teacher_of(lesson)).chain(students).collect();
            classes.push(Person::sign_in_all(&self.urls[lesson % self.urls.len()], logins).await?);
        }
        figures.put("school.sign_ins_per_s", self.scenario.people() as f64 / began.elapsed().as_secs_f64());
        Ok(classes)
    }

    /// Half of the lessons, then the others: what a socket costs is the slope.
    async fn enter(&mut self, mut people: Vec<Vec<Person>>, figures: &mut Figures) -> anyhow::Result<()> {
        tokio::time::sleep(SETTLED).await;
        self.begin("entering");
        let began = Instant::now();
        let others = people.split_off(people.len() / 2);
        let offset = people.len();
        self.enter_all(people.into_iter().enumerate().collect()).await?;
        let so_far = self.counts.inside.load(Ordering::Relaxed);
        let memory = self.process().map(Process::memory);
        self.enter_all(others.into_iter().enumerate().map(|(n, class)| (offset + n, class)).collect())
            .await?;
        figures.put("school.entries_per_s", self.scenario.people() as f64 / began.elapsed().as_secs_f64());
        if let (Some(before), Some(after)) = (memory, self.process().map(Process::memory)) {
            let more = self.counts.inside.load(Ordering::Relaxed) - so_far;
            figures.put("school.socket_bytes", after.saturating_sub(before) as f64 / more as f64);
        }
        Ok(())
    }

    async fn enter_all(&mut self, classes: Vec<(usize, Vec<Person>)>) -> anyhow::Result<()> {
        for (index, mut class) in classes {
            let lesson = class[0].lesson().await?;
            let has_media = index < self.scenario.media_lessons;
            let teacher = class.remove(0);
            let mut publisher = None;
            let publish = async |socket: &mut Socket| {
                if has_media {
                    publisher = Some(Publisher::open(socket, self.counts.start).await?);
                }
                Ok(has_media)
            };
            let teacher = Attendee::enter(teacher, lesson, false, self.counts.clone(), publish).await?;
            self.publishers.extend(publisher);
            let user = teacher.user();
            let mut inside = vec![teacher];
            let entering = class.into_iter().enumerate().map(|(n, student)| {
                let place = has_media.then_some((index * self.scenario.students + n, user));
                self.enter_student(student, lesson, n, place)
            });
            let mut entering = stream::iter(entering).buffer_unordered(ENTERING);
            while let Some(student) = entering.next().await {
                inside.push(student?);
            }
            drop(entering);
            self.classes.push(inside);
        }
        Ok(())
    }

    /// With media, `place` is the seat in the audience and who is seen.
    async fn enter_student(
        &self,
        student: Person,
        lesson: LessonId,
        n: usize,
        place: Option<(usize, UserId)>,
    ) -> anyhow::Result<Attendee> {
        let receive = async |socket: &mut Socket| match place {
            Some((seat, teacher)) => subscribe(socket, &self.audience, seat, teacher).await.map(|()| true),
            None => Ok(false),
        };
        Attendee::enter(student, lesson, n < MEASURING, self.counts.clone(), receive).await
    }

    /// Nobody does anything.
    async fn idle(&mut self, figures: &mut Figures) {
        let Some(process) = self.process() else { return };
        tokio::time::sleep(AFTERMATH).await;
        self.begin("sitting");
        let (cpu, began) = (process.cpu(), Instant::now());
        tokio::time::sleep(Duration::from_secs(self.scenario.idle_s)).await;
        let used = seconds_between(&cpu, &process.cpu()) / began.elapsed().as_secs_f64();
        let sockets = self.counts.inside.load(Ordering::Relaxed);
        self.idle_cores = used;
        figures.put("school.sockets", sockets as f64);
        figures.put("school.idle_us_per_socket_s", used * 1e6 / sockets as f64);
    }

    /// Every class writes; some see their teacher. First without media, whose CPU is another bench's matter.
    async fn teach(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        self.begin("writing");
        let cost = self.write("school.chat", figures).await?;
        if let Some(cost) = cost {
            self.begin("the floor");
            let floor = floor::cpu_us_per_delivery(&self.scenario, &self.counts).await?;
            figures.put("school.chat_us_per_delivery", cost);
            figures.put("school.floor_us_per_delivery", floor);
            figures.put("school.floor_ratio", cost / floor);
        }
        if self.publishers.is_empty() {
            return Ok(());
        }
        self.begin("writing, with voice and pictures");
        self.publishers.iter().for_each(|publisher| publisher.send(Pattern::Slow));
        tokio::time::sleep(AFTERMATH * 2).await;
        self.audience.restart();
        self.write("school.media", figures).await?;
        let heard = self.audience.heard();
        let sent = (heard.packets + heard.lost).max(1);
        figures.put("school.media_packets", heard.packets as f64);
        figures.put("school.media_loss", heard.lost as f64 / sent as f64);
        figures.put("school.media_packet_p99_ms", quantile(&heard.delays_ms, 0.99));
        self.publishers.iter().for_each(|publisher| publisher.send(Pattern::Nothing));
        Ok(())
    }

    /// Lines of all classes, evenly spread. Microseconds of our own server's CPU by line and listener, sitting left out.
    async fn write(&mut self, key: &str, figures: &mut Figures) -> anyhow::Result<Option<f64>> {
        let rate = self.scenario.lines_per_lesson_per_s * self.scenario.lessons as f64;
        if rate <= 0.0 {
            return Ok(None);
        }
        let during = Duration::from_secs(self.scenario.chat_s);
        self.counts.take_delays();
        let (cpu, lines, began) =
            (self.process().map(Process::cpu), Counts::read(&self.counts.lines), Instant::now());
        let mut timer = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        let mut said = 0;
        while began.elapsed() < during {
            timer.tick().await;
            let class = &self.classes[said % self.classes.len()];
            // Students take turns; the teacher listens.
            class[1 + said / self.classes.len() % (class.len() - 1)].say().await?;
            said += 1;
        }
        let elapsed = began.elapsed();
        let after = self.process().map(Process::cpu);
        tokio::time::sleep(AFTERMATH).await;
        let cores =
            cpu.zip(after).map(|(before, after)| seconds_between(&before, &after) / elapsed.as_secs_f64());
        if let Some(cores) = cores {
            figures.put(format!("{key}_cores"), cores);
        }
        let delays = self.counts.take_delays();
        figures.put(format!("{key}_p50_ms"), quantile(&delays, 0.5));
        figures.put(format!("{key}_p99_ms"), quantile(&delays, 0.99));
        let delivered = (Counts::read(&self.counts.lines) - lines) as f64;
        figures
            .put(format!("{key}_delivered_share"), delivered / (said * (self.scenario.students + 1)) as f64);
        let by_delivery =
            |cores: f64| (cores - self.idle_cores) * elapsed.as_secs_f64() * 1e6 / delivered.max(1.0);
        Ok(cores.map(by_delivery))
    }

    /// All lines are cut at once; everybody comes back.
    async fn cut(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        let reads = self.log_reads().await;
        self.begin("cut off, coming back");
        let cpu = self.process().map(Process::cpu);
        let began = Instant::now();
        let people = self.scenario.people();
        self.classes.iter_mut().flatten().for_each(Attendee::cut);
        let returning = self.classes.iter_mut().flatten().map(Attendee::come_back);
        let mut returning = stream::iter(returning).buffer_unordered(RETURNING);
        while let Some(back) = returning.next().await {
            back.context("somebody could not come back")?;
        }
        drop(returning);
        figures.put("school.return_s", began.elapsed().as_secs_f64());
        if let (Some(before), Some(process)) = (cpu, self.process()) {
            let used = seconds_between(&before, &process.cpu());
            figures.put("school.return_cpu_ms", used * 1e3 / people as f64);
        }
        if let (Some(before), Some(after)) = (reads, self.log_reads().await) {
            figures.put("school.return_reads_per_lesson", (after - before) / self.scenario.lessons as f64);
        }
        Ok(())
    }

    async fn hands(&mut self, figures: &mut Figures) -> anyhow::Result<()> {
        let students = (self.scenario.lessons * self.scenario.students) as f64;
        let rate = students * self.scenario.hands_per_student_per_s;
        if rate <= 0.0 || self.scenario.hands_s == 0 {
            return Ok(());
        }
        self.begin("raising hands");
        let during = Duration::from_secs(self.scenario.hands_s);
        let (began, accepted) = (Instant::now(), Counts::read(&self.counts.accepted));
        let period = Duration::from_secs_f64(1.0 / self.scenario.hands_per_student_per_s);
        let waving = self.classes.iter().flat_map(|class| &class[1..]).map(|student| async move {
            tokio::time::sleep(period.mul_f64(rand::random())).await;
            let mut rhythm = tokio::time::interval(period);
            let mut up = true;
            while began.elapsed() < during {
                rhythm.tick().await;
                student.wave(up).await?;
                up = !up;
            }
            anyhow::Ok(())
        });
        for waved in futures_util::future::join_all(waving).await {
            waved?;
        }
        let kept = Counts::read(&self.counts.accepted) - accepted;
        figures.put("school.appends_offered_per_s", rate);
        figures.put("school.appends_per_s", kept as f64 / began.elapsed().as_secs_f64());
        Ok(())
    }

    /// What our own server's metrics tell.
    async fn log_reads(&self) -> Option<f64> {
        self.server.as_ref()?.metric("qism_log_reads_total").await
    }
}
