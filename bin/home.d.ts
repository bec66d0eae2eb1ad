export function homeFolder(instead?: string): string;
