import { Server, workerServer } from 'hearthfw';

export class Primes extends Server {
  count(below: number): number {
    let count = 0;
    for (let n = 2; n < below; n++) if (isPrime(n)) count++;
    return count;
  }

  hang(): void {
    for (;;);
  }
}

/** In a module of its own: each thread loads it. */
export const primes = workerServer(Primes, import.meta.url);

function isPrime(n: number): boolean {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
}
