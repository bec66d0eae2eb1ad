/**
 * What a supervision tree does, as OTP's "Supervisor Behaviour" and the manual page of `supervisor` say: a model that
 * knows no process, no message and no promise, and shares no code with the library. One event at a time; time stands
 * still, so every restart counts for the intensity.
 */
export interface WorkerPlan {
  id: string;
  restart: 'permanent' | 'transient' | 'temporary';
  significant: boolean;
}
export interface TreePlan extends WorkerPlan {
  strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one';
  autoShutdown: 'never' | 'any_significant' | 'all_significant';
  maxRestarts: number;
  children: (WorkerPlan | TreePlan)[];
}
export type Event =
  | { do: 'crash' | 'finish' | 'terminate' | 'restart' | 'delete'; id: string }
  | { do: 'refuse'; id: string; times: number };

interface Node {
  plan: WorkerPlan | TreePlan;
  state: 'running' | 'restarting' | 'stopped';
  parent: Tree | undefined;
}
interface Tree extends Node {
  plan: TreePlan;
  children: (Node | Tree)[];
  restarts: number;
}
const isTree = (node: Node): node is Tree => 'children' in node;

export class Model {
  /** `+id` started, `!id` refused to start, `-id` ended. */
  log: string[] = [];
  readonly top: Tree;
  readonly #refusals = new Map<string, number>();

  constructor(plan: TreePlan) {
    this.top = this.#node(plan, undefined) as Tree;
    this.#start(this.top);
  }

  /** What runs, with the supervisors: what must be left in the process table. */
  running(): string[] {
    const all = (node: Node): string[] =>
      node.state !== 'running' ? [] : [node.plan.id, ...(isTree(node) ? node.children.flatMap(all) : [])];
    return all(this.top);
  }

  apply(event: Event): void {
    if (event.do === 'refuse') {
      this.#refusals.set(event.id, event.times);
      return;
    }
    const node = this.#find(event.id, this.top);
    const parent = node?.parent;
    if (!node || !parent) return;
    if (event.do === 'terminate') {
      this.#stop(node);
      if (node.plan.restart === 'temporary') this.#remove(parent, node);
    } else if (node.state === 'stopped') {
      if (event.do === 'restart') this.#start(node);
      if (event.do === 'delete') this.#remove(parent, node);
    } else if (event.do === 'crash' || event.do === 'finish') {
      if (isTree(node)) return;
      node.state = 'stopped';
      this.log.push(`-${node.plan.id}`);
      this.#ended(parent, node, event.do === 'crash');
    }
  }

  /** Only what is under supervisors that run can be reached. */
  #find(id: string, under: Tree): Node | undefined {
    if (under.state !== 'running') return undefined;
    for (const child of under.children) {
      if (child.plan.id === id) return child;
      const found = isTree(child) ? this.#find(id, child) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  #node(plan: WorkerPlan | TreePlan, parent: Tree | undefined): Node {
    if (!('children' in plan)) return { plan, state: 'stopped', parent };
    const tree: Tree = { plan, state: 'stopped', parent, children: [], restarts: 0 };
    return tree;
  }

  #remove(tree: Tree, node: Node): void {
    tree.children.splice(tree.children.indexOf(node), 1);
  }

  /** A supervisor starts as its plan says, whatever had become of its children. */
  #start(node: Node): boolean {
    const { id } = node.plan;
    if (!isTree(node)) {
      const refusals = this.#refusals.get(id) ?? 0;
      if (refusals > 0) this.#refusals.set(id, refusals - 1);
      this.log.push(refusals > 0 ? `!${id}` : `+${id}`);
      if (refusals === 0) node.state = 'running';
      return refusals === 0;
    }
    node.restarts = 0;
    node.children = node.plan.children.map((plan) => this.#node(plan, node));
    for (const child of node.children) {
      if (this.#start(child)) continue;
      this.#stopAll(node.children);
      node.state = 'stopped';
      return false;
    }
    node.state = 'running';
    return true;
  }

  #stop(node: Node): void {
    const ran = node.state === 'running';
    node.state = 'stopped';
    if (!ran) return;
    if (isTree(node)) this.#stopAll(node.children);
    else this.log.push(`-${node.plan.id}`);
  }

  #stopAll(nodes: readonly Node[]): void {
    for (const node of [...nodes].reverse()) this.#stop(node);
  }

  #ended(tree: Tree, node: Node, crashed: boolean): void {
    const { restart, significant } = node.plan;
    if (restart === 'permanent' || (restart === 'transient' && crashed)) {
      this.#restart(tree, node);
      return;
    }
    if (restart === 'temporary') this.#remove(tree, node);
    if (!significant) return;
    const { autoShutdown } = tree.plan;
    const left = tree.children.filter((other) => other.plan.significant && other.state !== 'stopped');
    if (autoShutdown === 'any_significant' || (autoShutdown === 'all_significant' && left.length === 0))
      this.#shutdown(tree);
  }

  #restart(tree: Tree, node: Node): void {
    let failed: Node | undefined = node;
    while (failed) {
      if (++tree.restarts > tree.plan.maxRestarts) {
        failed.state = 'stopped';
        this.#shutdown(tree);
        return;
      }
      failed = this.#restartGroup(tree, failed);
    }
  }

  /** Gives the child that refused to start, if one did. */
  #restartGroup(tree: Tree, node: Node): Node | undefined {
    const { strategy } = tree.plan;
    const at = tree.children.indexOf(node);
    const group =
      strategy === 'one_for_one' ? [node] : tree.children.slice(strategy === 'one_for_all' ? 0 : at);
    this.#stopAll(group);
    for (const member of group) {
      if (member.plan.restart === 'temporary') {
        this.#remove(tree, member);
        continue;
      }
      if (this.#start(member)) continue;
      // Members after it have been stopped and are not started; temporary ones among them are gone.
      for (const later of group.slice(group.indexOf(member) + 1))
        if (later.plan.restart === 'temporary') this.#remove(tree, later);
      return member;
    }
    return undefined;
  }

  /** It ends in good order, which for its own supervisor is an end by itself. */
  #shutdown(tree: Tree): void {
    this.#stop(tree);
    if (tree.parent) this.#ended(tree.parent, tree, false);
  }
}
