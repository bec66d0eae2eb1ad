/** The exit code of an app whose configuration is refused: EX_CONFIG of sysexits(3). Starting it again would not help. */
export const CONFIG_EXIT_CODE = 78;
