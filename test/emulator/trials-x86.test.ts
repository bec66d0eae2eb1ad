import { testSlice } from '../trials/slice.ts';

testSlice('x86_64', ['S4'], 1);
