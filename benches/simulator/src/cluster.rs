//! The facts of a simulated cluster that do not depend on what happens in it: names, versions, days.

use crate::calendar::{DAY, HOUR, MINUTE, START, weekday};
use crate::seed::{Purpose, Seed, Stream, fnv1a};

/// The size of a simulated cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The number of nodes.
    pub nodes: u32,
    /// The number of people who use it.
    pub people: u32,
    /// The number of namespaces with applications.
    pub namespaces: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { nodes: 6, people: 12, namespaces: 6 }
    }
}

/// Applications; each namespace has all of them.
pub(crate) const APPS: &[&str] = &["api", "web", "worker", "db"];

/// A cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub seed: Seed,
    pub index: i64,
    pub name: String,
    pub size: Size,
    pub namespaces: Vec<String>,
    /// The version of Kubernetes before and after the upgrade.
    versions: [&'static str; 2],
    /// When the nodes and the control plane are upgraded.
    pub upgrade_at: i64,
    /// Whether the internet reaches the API server.
    pub is_public: bool,
    /// Whether pipelines run on a provider's machines, each time from another address.
    pub has_hosted_runners: bool,
    /// When the pipelines begin to deploy objects of another type.
    pub new_pipeline_at: i64,
    /// Days on which people work as on a Sunday.
    holidays: Vec<i64>,
    /// Times of trouble: a node fails, or the storage of the API server is slow.
    pub disturbances: Vec<i64>,
}

const NAMES: &[&str] = &["prod-eu-1", "prod-us-1", "staging-eu", "prod-ap-1", "dev-eu"];
const NAMESPACES: &[&str] = &["payments", "crm", "web", "monitoring", "batch"];
const VERSIONS: &[[&str; 2]] = &[["v1.34.2", "v1.34.3"], ["v1.33.6", "v1.34.1"], ["v1.34.1", "v1.35.0"]];

/// The address of the control plane.
pub(crate) const CONTROL_PLANE: &str = "10.0.0.5";

/// How long a disturbance lasts.
pub(crate) const DISTURBANCE: i64 = 6 * MINUTE;

impl Cluster {
    /// Draws a cluster that is simulated for this number of days.
    pub fn new(seed: Seed, index: u32, size: Size, days: i64) -> Self {
        let number = i64::from(index);
        let mut random = Stream::new(seed, Purpose::Cluster, &[number]);
        let name = NAMES
            .get(index as usize)
            .map_or_else(|| format!("cluster-{}", index + 1), |name| (*name).to_owned());
        let namespaces = (0..size.namespaces.max(1) as usize)
            .map(|at| NAMESPACES.get(at).map_or_else(|| format!("team-{at}"), |name| (*name).to_owned()))
            .collect();
        // Three node failures and two slow spells of the storage in ten days.
        let count = (0..days).filter(|_| random.permille(500)).count();
        let mut disturbances: Vec<i64> = (0..count).map(|_| START + random.between(0, days * DAY)).collect();
        disturbances.sort_unstable();
        Self {
            seed,
            index: number,
            name,
            size,
            namespaces,
            versions: *random.of(VERSIONS),
            // One cluster in three is upgraded in four weeks; maintenance is at ten in the morning of a working day.
            upgrade_at: START + random.between(0, 84) * DAY + 10 * HOUR,
            is_public: random.permille(500),
            has_hosted_runners: random.permille(333),
            new_pipeline_at: START + random.between(0, 84) * DAY + 9 * HOUR,
            holidays: (0..days).filter(|_| random.permille(25)).collect(),
            disturbances,
        }
    }

    /// Returns the version of Kubernetes at a time.
    pub fn version(&self, time: i64) -> &'static str {
        self.versions[usize::from(time >= self.upgrade_at)]
    }

    /// Whether people work on this day.
    pub fn is_working_day(&self, time: i64) -> bool {
        weekday(time) < 5 && !self.holidays.contains(&((time - START) / DAY))
    }

    /// Whether the API server or a node is in trouble.
    pub fn is_disturbed(&self, time: i64) -> bool {
        self.disturbances.iter().any(|start| (*start..start + DISTURBANCE).contains(&time))
    }

    /// Returns the name of a pod of an application; it changes every day, with the deployments.
    pub fn pod(&self, namespace: &str, app: &str, replica: i64, time: i64) -> String {
        if app == "db" {
            return format!("db-{replica}");
        }
        let place = (fnv1a(namespace.bytes()) ^ fnv1a(app.bytes()).rotate_left(17)).cast_signed();
        let day = time.div_euclid(DAY);
        let set = Stream::new(self.seed, Purpose::Cluster, &[self.index, place, day]).bits();
        let own = Stream::new(self.seed, Purpose::Cluster, &[self.index, place, day, replica]).bits();
        format!("{app}-{:09x}-{:05x}", set & 0xf_ffff_ffff, own & 0xf_ffff)
    }

    /// Returns any pod of a namespace.
    pub fn any_pod(&self, random: &mut Stream, namespace: &str, time: i64) -> String {
        let app = *random.of(APPS);
        self.pod(namespace, app, random.between(0, 3), time)
    }

    /// Returns one of the namespaces.
    pub fn any_namespace<'c>(&'c self, random: &mut Stream) -> &'c str {
        let namespace: &String = random.of(&self.namespaces);
        namespace
    }
}

/// Returns the address of a node.
pub(crate) fn node_address(node: u32) -> String {
    format!("10.0.{}.{}", node % 200, 10 + node / 200)
}
