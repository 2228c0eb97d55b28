//! Processes that share a search as threads of one process, with channels between them.

use std::sync::mpsc::{Receiver, Sender, channel};

use steadfast_search::{Lost, Options, Peers, Portable, Report, Search};

/// One of the processes.
pub(crate) struct Mesh {
    index: usize,
    to: Vec<Sender<Vec<u64>>>,
    from: Vec<Receiver<Vec<u64>>>,
    /// The round in which this process is lost.
    pub(crate) dies_in: u64,
    round: u64,
}

impl Peers for Mesh {
    fn index(&self) -> usize {
        self.index
    }

    fn count(&self) -> usize {
        self.to.len()
    }

    fn exchange(&mut self, messages: Vec<Vec<u64>>) -> Result<Vec<Vec<u64>>, Lost> {
        self.round += 1;
        if self.round == self.dies_in {
            (self.to, self.from) = (Vec::new(), Vec::new());
            return Err(Lost { process: self.index, why: "dies".into() });
        }
        for (process, (to, message)) in self.to.iter().zip(messages).enumerate() {
            let gone = |_| Lost { process, why: "is gone".into() };
            to.send(message).map_err(gone)?;
        }
        let receive = |(process, from): (usize, &Receiver<_>)| {
            from.recv().map_err(|_| Lost { process, why: "is gone".into() })
        };
        self.from.iter().enumerate().map(receive).collect()
    }
}

/// This many processes, each connected with each.
pub(crate) fn mesh(count: usize) -> Vec<Mesh> {
    let mut to: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    let mut from: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
    for (sender, to) in to.iter_mut().enumerate() {
        for (receiver, from) in from.iter_mut().enumerate() {
            let (one, other) = channel();
            assert_eq!((to.len(), from.len()), (receiver, sender));
            to.push(one);
            from.push(other);
        }
    }
    let sides = to.into_iter().zip(from).enumerate();
    sides.map(|(index, (to, from))| Mesh { index, to, from, dies_in: 0, round: 0 }).collect()
}

/// The report of each process.
pub(crate) fn shared<S: Portable>(
    system: &S,
    mesh: Vec<Mesh>,
    options: impl Fn(usize) -> Options + Sync,
) -> Vec<Report<S>>
where
    Report<S>: Send,
{
    let options = &options;
    std::thread::scope(|scope| {
        let search = |mut it: Mesh| {
            let search = Search::new(system, options(it.index));
            scope.spawn(move || search.breadth_first_shared(&mut it))
        };
        let searches: Vec<_> = mesh.into_iter().map(search).collect();
        searches.into_iter().map(|it| it.join().expect("a search that does not panic")).collect()
    })
}
