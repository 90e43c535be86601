import { provePart } from './support/model/prove.ts';

provePart(2);
