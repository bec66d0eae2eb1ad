/** What the firmware knows when it reads config.txt or autoboot.txt, for the filters in it. */
export interface ConfigContext {
  /** Model filters that apply, e.g. `pi3`. */
  models: readonly string[];
  /** The one-shot flag of `reboot "0 tryboot"`. */
  tryboot: boolean;
  /** The partition that the file is read from. */
  partition: number;
}

export interface Setting {
  key: string;
  value: string;
  /** Counted from 1. */
  line: number;
}

export interface ConfigText {
  /** In the order of the file; of those with the same key the last one counts. */
  settings: Setting[];
  /** What a developer should know: lines that the firmware cuts, filters that this model does not know. */
  notes: string[];
}

/** "There is a limit of 98 characters per line; any characters past this limit are ignored" (config.txt documentation). */
const MAX_LINE = 98;
const MODELS = /^(pi[0-9][0-9]*w?\+?|pi02|pi400|pi500|cm[0-9]s?\+?|is_pi[0-9]+)$/;

/**
 * The settings of a config.txt or autoboot.txt that apply, after its conditional filters (Raspberry Pi documentation,
 * "config.txt", "Conditional filters"): filters of one kind replace each other, those of different kinds combine, [all]
 * takes all away.
 */
export function parseConfigText(text: string, context: ConfigContext): ConfigText {
  const settings: Setting[] = [];
  const notes: string[] = [];
  const filters = new Map<string, boolean>();
  text.split(/\r\n|\n|\r/).forEach((full, index) => {
    const line = index + 1;
    if (full.length > MAX_LINE)
      notes.push(`line ${line} is longer than ${MAX_LINE} characters and is cut there`);
    const content = full.slice(0, MAX_LINE).replace(/#.*/, '').trim();
    if (content === '') return;
    const filter = /^\[(.*)\]$/.exec(content)?.[1];
    if (filter !== undefined) {
      const note = applyFilter(filters, filter.trim(), context);
      if (note) notes.push(`line ${line}: ${note}`);
      return;
    }
    if ([...filters.values()].includes(false)) return;
    const setting = /^([A-Za-z0-9_]+)\s*(?:=|\s)\s*(.*)$/.exec(content);
    if (setting?.[1] === undefined) notes.push(`line ${line}: '${content}' is no setting and is ignored`);
    else settings.push({ key: setting[1], value: (setting[2] ?? '').trim(), line });
  });
  return { settings, notes };
}

function applyFilter(
  filters: Map<string, boolean>,
  name: string,
  context: ConfigContext,
): string | undefined {
  if (name === 'all') filters.clear();
  else if (name === 'none') filters.set('none', false);
  else if (name === 'tryboot') filters.set('tryboot', context.tryboot);
  else if (/^partition=/.test(name)) filters.set('partition', name === `partition=${context.partition}`);
  else if (MODELS.test(name)) filters.set('model', context.models.includes(name));
  else {
    const kind = /^(0x|EDID=|gpio|HDMI|board-type=)/i.exec(name)?.[1] ?? name;
    filters.set(kind, false);
    return `the filter [${name}] is not modelled and does not apply here`;
  }
  return undefined;
}

/** The last setting with that key, or undefined. */
export function settingOf(config: ConfigText, key: string): Setting | undefined {
  return config.settings.findLast((setting) => setting.key === key);
}
