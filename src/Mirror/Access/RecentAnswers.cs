using System.Collections.Concurrent;

namespace Mirror.Access;

/// <summary>Questions that had the same answer a short time ago.</summary>
/// <param name="time">The clock.</param>
internal sealed class RecentAnswers(TimeProvider time)
{
    /// <summary>How long an answer holds.</summary>
    private static readonly TimeSpan Holds = TimeSpan.FromMinutes(5);

    /// <summary>Of more, the oldest are forgotten.</summary>
    private const int MaxKnown = 10_000;

    private readonly ConcurrentDictionary<string, long> _answeredAt = new();

    public bool Has(string question) =>
        _answeredAt.TryGetValue(question, out var answeredAt) && time.GetElapsedTime(answeredAt) < Holds;

    public void Add(string question)
    {
        _answeredAt[question] = time.GetTimestamp();
        if (_answeredAt.Count > MaxKnown)
        {
            // A copy that no other thread can change meanwhile.
            foreach (var (old, _) in _answeredAt.ToArray().OrderBy(entry => entry.Value).Take(MaxKnown / 2))
            {
                _answeredAt.TryRemove(old, out _);
            }
        }
    }
}
