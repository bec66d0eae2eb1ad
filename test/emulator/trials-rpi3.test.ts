import { testSlice } from '../trials/slice.ts';

// An emulated card moves 1 to 2 MB a second: the case with the least to write.
testSlice('rpi3', ['S2-kernel-missing'], 0);
