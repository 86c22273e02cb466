// Times, counts and sizes as a reader wants them.

/** 2.1 s, 1 min 05 s, 1 h 02 min */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

export function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en-US")} ${value === 1 ? one : many}`;
}

export function bytes(size: number): string {
  if (size < 1000) return count(size, "byte");
  if (size < 999_950) return `${(size / 1000).toFixed(size < 9950 ? 1 : 0)} kB`;
  return `${(size / 1e6).toFixed(1)} MB`;
}
