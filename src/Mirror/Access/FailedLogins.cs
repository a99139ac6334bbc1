using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Mirror.Access;

/// <summary>
/// Slows down who tries passwords: after some that were wrong, the checks of one address come one after the other with a pause between, however many
/// connections ask. Who would wait too long is told to come back. Right passwords that were checked lately need no check, and so no patience.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class FailedLogins(TimeProvider time)
{
    /// <summary>So many may be wrong at once: people mistype, and a machine with an old password has several clients.</summary>
    private const int Free = 5;

    private const int MaxAddresses = 10_000;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Forgotten = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<IPAddress, Failures> _failures = new();
    private readonly long _started = time.GetTimestamp();

    /// <summary>Not the time of day: whoever sets that back would have those who failed wait until it is again as late as it was.</summary>
    private TimeSpan Now => time.GetElapsedTime(_started);

    /// <summary>Waits for the address's turn to have a password checked. Who has got it says with <see cref="Leave"/> what came of it.</summary>
    /// <returns>Null when the turn has come; else in how long to ask again.</returns>
    public async ValueTask<TimeSpan?> EnterAsync(IPAddress? address)
    {
        if (address is null)
        {
            return null;
        }

        var wait = _failures.GetOrAdd(KeyOf(address), _ => new Failures()).Enter(Now);
        if (wait > LongestWait)
        {
            return wait;
        }

        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, time);
        }

        return null;
    }

    /// <summary>A check has ended.</summary>
    /// <param name="address">Whose it was.</param>
    /// <param name="wasWrong">Whether the password was.</param>
    public void Leave(IPAddress? address, bool wasWrong)
    {
        if (address is null)
        {
            return;
        }

        _failures.GetOrAdd(KeyOf(address), _ => new Failures()).Leave(wasWrong ? Now : null);
        if (_failures.Count > MaxAddresses)
        {
            foreach (var (old, _) in _failures.OrderBy(entry => entry.Value.LastAt).Take(MaxAddresses / 2).ToList())
            {
                _failures.TryRemove(old, out _);
            }
        }
    }

    /// <summary>Who has one address of IPv6 has a network of them, 64 bits long.</summary>
    private static IPAddress KeyOf(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            return address;
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return new IPAddress(bytes);
    }

    private sealed class Failures
    {
        private readonly Lock _gate = new();
        private int _count;
        private int _running;
        private TimeSpan _lastAt;
        private TimeSpan _nextAt;

        public TimeSpan LastAt
        {
            get
            {
                lock (_gate)
                {
                    return _lastAt;
                }
            }
        }

        /// <summary>What is being checked may be wrong, and counts until it is known: nobody gets in many guesses at once.</summary>
        /// <returns>How long to wait. Who would wait too long has got no turn.</returns>
        public TimeSpan Enter(TimeSpan now)
        {
            lock (_gate)
            {
                if (now - _lastAt > Forgotten)
                {
                    _count = 0;
                }

                var wait = TimeSpan.Zero;
                if (_count + _running >= Free)
                {
                    var turn = _nextAt > now ? _nextAt : now + Pause();
                    wait = turn - now;
                    if (wait > LongestWait)
                    {
                        return wait;
                    }

                    _nextAt = turn + Pause();
                }

                _running++;
                return wait;
            }
        }

        public void Leave(TimeSpan? failedAt)
        {
            lock (_gate)
            {
                _running = Math.Max(0, _running - 1);
                if (failedAt is { } now)
                {
                    _count++;
                    _lastAt = now;
                }
            }
        }

        private TimeSpan Pause()
        {
            var doubled = TimeSpan.FromMilliseconds(500 * Math.Pow(2, Math.Clamp(_count - Free, 0, 10)));
            return doubled < LongestPause ? doubled : LongestPause;
        }
    }
}
