/** Used by their source text alone. */
export const createPeer: () => void;
export const isolatedWorld: () => void;
export const pageWorld: () => void;
