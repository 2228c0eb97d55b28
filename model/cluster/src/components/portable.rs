//! Components as bytes, for searches that several processes share and for checkpoints.

use steadfast_search::Portable;

use super::{ClusterComponents, Component};

impl Portable for ClusterComponents {
    fn encode(&self, component: &Component, bytes: &mut Vec<u8>) {
        let encoded = postcard::to_allocvec(component);
        bytes.extend(
            encoded.expect("invariant: a component has no part that postcard cannot write"),
        );
    }

    /// The bytes come from a process of the same build. They are read into the types that wrote them,
    /// and are refused if these would not write the same bytes.
    fn decode(&self, bytes: &[u8]) -> Option<Component> {
        let component: Component = postcard::from_bytes(bytes).ok()?;
        let is_canonical = postcard::to_allocvec(&component).is_ok_and(|it| it == bytes);
        is_canonical.then_some(component)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use steadfast_search::{System, next_states};

    use super::*;
    use crate::{SHIPPED, Shipped};

    fn hash(component: &Component) -> u64 {
        let mut hasher = DefaultHasher::new();
        component.hash(&mut hasher);
        hasher.finish()
    }

    /// The components of some hundred states of a scope, found breadth first.
    fn components(system: &ClusterComponents) -> Vec<std::sync::Arc<Component>> {
        let initial = system.initial_states().remove(0);
        let mut states = vec![initial.into_iter().map(std::sync::Arc::new).collect::<Vec<_>>()];
        let mut at = 0;
        while at < states.len() && states.len() < 300 {
            let next = next_states(system, &states[at]).expect("a system without flaws");
            states.extend(next.into_iter().map(|it| it.state));
            at += 1;
        }
        states.into_iter().flatten().collect()
    }

    fn check(shipped: &Shipped) {
        let system = ClusterComponents::new(shipped.scope(), None, &[]);
        for component in components(&system) {
            let mut bytes = Vec::new();
            system.encode(&component, &mut bytes);
            let decoded = system.decode(&bytes).expect("the bytes of a component");
            assert_eq!(decoded, *component, "{}", shipped.name);
            assert_eq!(hash(&decoded), hash(&component), "{}: {component:?}", shipped.name);
            assert!(system.decode(&bytes[..bytes.len() - 1]).is_none(), "a byte less");
            bytes.push(0);
            assert!(system.decode(&bytes).is_none(), "a byte more");
        }
    }

    #[test]
    fn a_component_of_every_scope_is_the_same_after_a_way_through_bytes() {
        SHIPPED.iter().for_each(check);
    }
}
