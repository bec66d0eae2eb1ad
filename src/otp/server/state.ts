/**
 * What `sys.getState` and `sys.replaceState` see of a server, and the key of its accessor. Private fields cannot be seen
 * from outside, so that a class with `#fields` says itself what its state is.
 */
export const state: unique symbol = Symbol('hearth.state');
