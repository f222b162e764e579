// Virtual time for tests: the simulator's.
export { settled, type VirtualClock, virtualClock } from '../reconciler/simulate/clock.ts';
