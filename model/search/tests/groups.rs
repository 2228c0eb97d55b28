//! Properties that are asked together.

use steadfast_search::{Look, Options, Place, Property, Rule, Search, Steps, System};

/// A wheel that turns tooth by tooth. Each property says of one tooth that it is never on top.
struct Wheel {
    properties: usize,
    groups: Vec<Vec<usize>>,
}

impl System for Wheel {
    type Component = usize;
    type Change = ();
    type Step = ();
    type Follow = ();

    fn name(&self) -> String {
        "a wheel".into()
    }

    fn initial_states(&self) -> Vec<Vec<usize>> {
        vec![vec![0]]
    }

    fn rules(&self) -> u16 {
        1
    }

    fn steps(&self, _: Rule, state: &Look<'_, usize>, steps: &mut Steps<Self>) {
        if state[Place(0)] < self.properties {
            steps.step(()).change(Place(0), ());
        }
    }

    fn changed(&self, tooth: &usize, (): &()) -> usize {
        tooth + 1
    }

    fn properties(&self) -> Vec<Property> {
        let property = |it: usize| match it % 2 {
            0 => Property::always(format!("never {it}")),
            _ => Property::sometimes(format!("at last {it}")),
        };
        (0..self.properties).map(property).collect()
    }

    fn property_groups(&self) -> Vec<Vec<usize>> {
        self.groups.clone()
    }

    fn holds(&self, property: usize, state: &Look<'_, usize>) -> bool {
        (state[Place(0)] == property) == (property % 2 == 1)
    }
}

/// One more than fits into one answer, so that the engine must split the group.
#[test]
fn a_large_group_finds_what_its_properties_find_alone() {
    let properties = 67;
    let alone = (0..properties).map(|it| vec![it]).collect();
    let together = vec![(0..properties).rev().collect()];
    for groups in [alone, together] {
        let report = Search::new(&Wheel { properties, groups }, Options::default()).breadth_first();
        let found = report.findings.iter().map(|it| it.path.labels().len());
        assert_eq!(found.collect::<Vec<_>>(), (0..properties).collect::<Vec<_>>());
    }
}

#[test]
#[should_panic(expected = "each property is in one group: [[0], [2]]")]
fn a_property_without_a_group_is_refused() {
    let wheel = Wheel { properties: 3, groups: vec![vec![0], vec![2]] };
    let _ = Search::new(&wheel, Options::default()).breadth_first();
}
