//! The states of the parameters, in the order in which a walk finds them.

use super::groups::Groups;
use crate::record_entries::{RANK, entries_of};
use burn::module::{ParamGroup, ParamId};
use burn::optim::{DynState, OptimizerRecord, StateSink, StateSource};
use burn::tensor::{Device, TensorData};
use burn_pack::{Reader, Scalar, Tensor as Recorded, Writer};
use std::collections::HashMap;

/// What is kept of one parameter from step to step.
#[derive(Clone)]
pub(super) struct Slot {
    id: ParamId,
    /// Where the last step found it; `None` if it was loaded from a record without it and not stepped since.
    path: Option<String>,
    /// The number of its group.
    pub(super) group: usize,
    pub(super) state: Option<DynState>,
    /// Where the state is, if that is known.
    pub(super) device: Option<Device>,
}

impl Slot {
    /// Notes where the step is taken, and says whether the state may be elsewhere.
    pub(super) fn moves_to(&mut self, device: &Device) -> bool {
        let moves = self.device.as_ref() != Some(device);
        if moves {
            self.device = Some(device.clone());
        }
        moves
    }

    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Notes the path of this step. As in a `ModuleOptimizer`, a parameter with a state keeps its optimizer, and the others
    /// get theirs by the present path.
    fn found_at(&mut self, path: &str, groups: &Groups) {
        if self.path() == Some(path) {
            return;
        }
        self.path = Some(path.to_owned());
        if self.state.is_none() {
            self.group = groups.number_for(self.id, Some(path));
        }
    }
}

/// The slots of all parameters that have had a gradient.
#[derive(Clone, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    numbers: HashMap<ParamId, usize>,
}

impl Slots {
    /// The number of the parameter's slot. `guess` is the likely one: that after the slot of the parameter before, since
    /// every walk has the same order.
    pub(super) fn number(
        &mut self,
        guess: usize,
        id: ParamId,
        path: &str,
        groups: &Groups,
    ) -> usize {
        let number = match self.slots.get(guess) {
            Some(slot) if slot.id == id => Some(guess),
            _ => self.numbers.get(&id).copied(),
        };
        if let Some(number) = number {
            self.slots[number].found_at(path, groups);
            return number;
        }
        self.add(Slot {
            id,
            path: Some(path.to_owned()),
            group: groups.number_for(id, Some(path)),
            state: None,
            device: None,
        })
    }

    fn add(&mut self, slot: Slot) -> usize {
        let number = self.slots.len();
        self.numbers.insert(slot.id, number);
        self.slots.push(slot);
        number
    }

    pub(super) fn get_mut(&mut self, number: usize) -> &mut Slot {
        &mut self.slots[number]
    }

    /// Whether there have been steps, which have left no state, as those of plain SGD.
    pub(super) fn are_stateless(&self) -> bool {
        !self.slots.is_empty() && self.slots.iter().all(|slot| slot.state.is_none())
    }

    /// How many parameters have a state.
    pub(super) fn len(&self) -> usize {
        self.slots
            .iter()
            .filter(|slot| slot.state.is_some())
            .count()
    }

    /// Drops the parameters of a group.
    pub(super) fn forget(&mut self, group: &ParamGroup) {
        let others = std::mem::take(self).slots.into_iter();
        for slot in others.filter(|slot| !group.matches(&slot.id, slot.path())) {
            self.add(slot);
        }
    }

    pub(super) fn to_record(&self, groups: &Groups) -> OptimizerRecord {
        let (mut tensors, mut scalars, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for slot in &self.slots {
            let Some(state) = &slot.state else { continue };
            let prefix = slot.id.val().to_string();
            let mut sink = StateSink::default();
            let optim = groups.optimizer(slot.group);
            optim.state_flatten(&prefix, state, &mut sink);
            for (name, data) in sink.tensors {
                let (bytes, shape, dtype) = data.into_parts();
                let id = Some(slot.id.val());
                tensors.push(Recorded::new(name, dtype, shape, id, bytes));
            }
            scalars.extend(sink.scalars);
            scalars.push((format!("{prefix}.{RANK}"), Scalar::from(state.rank())));
            paths.extend(slot.path().map(|path| (prefix, path)));
        }
        // Burn's record has no other constructor.
        let mut writer = Writer::new(tensors);
        for (name, scalar) in scalars {
            writer = writer.with_scalar(&name, scalar);
        }
        for (name, path) in paths {
            writer = writer.with_metadata(&name, path);
        }
        let bytes = writer.into_bytes().expect("tensors are written to memory");
        OptimizerRecord::from_bytes(bytes).expect("what was written is read")
    }

    /// The states of a record that [has been checked](crate::check_optimizer_record).
    pub(super) fn of_record(record: OptimizerRecord, groups: &Groups) -> Self {
        let bytes = record.into_bytes().expect("a record is written to memory");
        let reader = Reader::from_bytes(bytes).expect("what was written is read");
        let mut source = StateSource::new(reader.scalars().clone());
        let entries = entries_of(reader).expect("a record that has been checked");
        let (mut slots, device) = (Self::default(), Device::default());
        for (number, entry) in entries {
            let mut rank = entry.rank.map(|rank| rank as usize);
            for tensor in entry.tensors {
                let parts = tensor.into_parts().expect("what was written is read");
                let (name, dtype, shape, _, bytes) = parts;
                let data = TensorData::from_bytes(bytes, shape, dtype);
                rank.get_or_insert(data.rank());
                source.insert_tensor(name, data);
            }
            let Some(rank) = rank else {
                continue; // no state
            };
            let (id, prefix) = (ParamId::from(number), number.to_string());
            let group = groups.number_for(id, entry.path.as_deref());
            let optim = groups.optimizer(group);
            let state = optim.state_unflatten(rank, &prefix, &mut source, &device);
            slots.add(Slot {
                id,
                path: entry.path,
                group,
                state,
                device: None,
            });
        }
        slots
    }
}
