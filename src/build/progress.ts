/** What long work tells whoever watches it. Plain data: a terminal, a log and a page each show it their own way. */
export interface Progress {
  /** What is being done, as people say it: 'compressing the root file system'. The next step ends this one. */
  step: string;
  /** What of it just now. */
  detail?: string;
  bytes?: { done: number; total: number };
}

export type OnProgress = (progress: Progress) => void;
