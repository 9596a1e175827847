// Something that is shown: views are told when it changes.

export class Observable {
  listeners = new Set();

  /** Calls a function after changes with the set of names that changed. */
  onChange(listener) {
    this.listeners.add(listener);
  }

  /** Sets some of its values, and tells. */
  set(changes) {
    const changed = new Set();
    for (const [name, value] of Object.entries(changes)) {
      if (this[name] === value) continue;
      this[name] = value;
      changed.add(name);
    }
    this.changing(changed);
    if (changed.size) for (const listener of this.listeners) listener(changed);
  }

  /** What follows from a change, before others are told of it; may add names. */
  changing() {}
}
