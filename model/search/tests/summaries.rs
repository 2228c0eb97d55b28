//! Summaries of components, components that are put in place of others, and kinds of steps.

use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast_search::{
    Ended, Flaw, Look, Options, Place, Property, Report, Rule, Search, Steps, System,
};

/// Two wheels that turn, one by changes and one by components that are put.
struct Wheels {
    /// Whether the property looks at summaries.
    summarizes: bool,
    /// Whether a summary tells the truth every time.
    lies: bool,
    judged: AtomicUsize,
    asked: AtomicUsize,
}

const TEETH: u32 = 60;
const IS_ODD: u16 = 3;

impl Wheels {
    fn new(summarizes: bool, lies: bool) -> Self {
        Wheels { summarizes, lies, judged: AtomicUsize::new(0), asked: AtomicUsize::new(0) }
    }
}

impl System for Wheels {
    type Component = u32;
    type Change = u32;
    type Step = (u16, u32);
    type Follow = ();

    fn name(&self) -> String {
        "wheels".into()
    }

    fn initial_states(&self) -> Vec<Vec<u32>> {
        vec![vec![0, 0]]
    }

    fn rules(&self) -> u16 {
        2
    }

    fn steps(&self, Rule(rule): Rule, state: &Look<'_, u32>, steps: &mut Steps<Self>) {
        let from = state[Place(rule)];
        for by in [1, 2] {
            let step = steps.step((rule, by));
            match rule {
                0 => step.change(Place(0), by),
                _ => step.put(Place(1), (from + by) % TEETH),
            };
        }
    }

    fn changed(&self, wheel: &u32, by: &u32) -> u32 {
        (wheel + by) % TEETH
    }

    fn properties(&self) -> Vec<Property> {
        vec![Property::always("not both odd, where summaries lie")]
    }

    fn holds(&self, _: usize, state: &Look<'_, u32>) -> bool {
        self.judged.fetch_add(1, Ordering::Relaxed);
        let is_odd = |place| match self.summarizes {
            true => *state.summary(place, IS_ODD) % 2 == 1,
            false => state[place] % 2 == 1,
        };
        !(is_odd(Place(0)) && is_odd(Place(1)) && self.lies)
    }

    fn summaries(&self) -> u16 {
        IS_ODD + 1
    }

    fn summary(&self, number: u16, wheel: &u32) -> u32 {
        assert_eq!(number, IS_ODD);
        let lie = if self.lies { self.asked.fetch_add(1, Ordering::Relaxed) } else { 0 };
        wheel % 2 + u32::try_from(lie).expect("few")
    }

    fn kinds(&self) -> Vec<String> {
        vec!["by one".into(), "by two".into()]
    }

    fn kind(&self, (_, by): &(u16, u32)) -> u16 {
        u16::from(*by == 2)
    }
}

fn searched(wheels: &Wheels) -> Report<Wheels> {
    Search::new(wheels, Options::default()).breadth_first()
}

#[test]
fn an_answer_is_remembered_for_the_summaries_that_it_depends_on() {
    let (whole, summarized) = (Wheels::new(false, false), Wheels::new(true, false));
    let reports = [searched(&whole), searched(&summarized)];
    for report in &reports {
        assert!(report.is_as_expected(), "{report:?}");
        assert_eq!(report.unique, u64::from(TEETH * TEETH));
    }
    // Two of three calls are those of the sample, which computes every state of it twice.
    let computed = |it: &Wheels, report: &Report<Wheels>| {
        it.judged.load(Ordering::Relaxed) as u64 - 2 * report.sampled
    };
    // Of the second wheel nothing is looked at while the first is even.
    assert_eq!(computed(&whole, &reports[0]), u64::from(TEETH / 2 + TEETH / 2 * TEETH));
    assert_eq!(computed(&summarized, &reports[1]), 3);
}

#[test]
fn a_summary_that_is_no_function_of_its_component_is_a_flaw() {
    let report = searched(&Wheels::new(true, true));
    let Ended::Flawed(flawed) = report.ended else {
        panic!("{report:?}");
    };
    assert!(matches!(flawed.flaw, Flaw::NotDeterministic { .. } | Flaw::Differs { .. }));
}

#[test]
fn steps_are_counted_by_kind() {
    let report = searched(&Wheels::new(true, false));
    let each = u64::from(2 * TEETH * TEETH);
    assert_eq!(report.taken, [("by one".into(), each), ("by two".into(), each)]);
    assert_eq!(report.generated, 1 + 2 * each);
    let depth_first = Search::new(&Wheels::new(true, false), Options::default()).depth_first();
    assert_eq!(depth_first.taken, report.taken);
}
