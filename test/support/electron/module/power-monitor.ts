import { refuseUnknown, StrictEmitter } from '../strict.ts';

const EVENTS = [
  'suspend',
  'resume',
  'shutdown',
  'lock-screen',
  'unlock-screen',
  'on-ac',
  'on-battery',
  'thermal-state-change',
  'user-did-become-active',
  'user-did-resign-active',
] as const;
export type PowerEvent = (typeof EVENTS)[number];

class PowerMonitor extends StrictEmitter {
  onBatteryPower = false;
  #thermalState = 'nominal';

  constructor() {
    super('powerMonitor', EVENTS);
  }

  isOnBatteryPower = () => this.onBatteryPower;
  getCurrentThermalState = () => this.#thermalState;

  /** What happens to the machine. */
  happen(event: PowerEvent, state = 'nominal'): void {
    if (event === 'on-ac' || event === 'on-battery') this.onBatteryPower = event === 'on-battery';
    if (event === 'thermal-state-change') this.#thermalState = state;
    this.emit(event, refuseUnknown('event', { preventDefault: () => {}, state }));
  }
}

export const powerMonitor = new PowerMonitor();
