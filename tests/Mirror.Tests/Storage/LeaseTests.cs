using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Storage;

public sealed class LeaseTests
{
    private static readonly TimeSpan Day = Leases.Duration;
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(1);

    private readonly ManualTime _time = new();
    private readonly Leases _leases;

    public LeaseTests() => _leases = new Leases(_time);

    [Fact]
    public void For_a_day_after_a_start_everything_is_held()
    {
        _time.Advance(Day - Moment);
        Assert.True(_leases.IsHeld(DigestOf(1)));

        _time.Advance(Moment);
        Assert.False(_leases.IsHeld(DigestOf(1)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.5)]
    [InlineData(0.99)]
    public void What_was_taken_is_held_for_a_day_and_not_longer_than_two(double daysIntoTheSet)
    {
        _time.Advance(Day * (2 + daysIntoTheSet));
        _leases.Take(DigestOf(1));

        _time.Advance(Day - Moment);
        Assert.True(_leases.IsHeld(DigestOf(1)));
        Assert.False(_leases.IsHeld(DigestOf(2)));
        _time.Advance(Day + Moment);
        Assert.False(_leases.IsHeld(DigestOf(1)));
    }

    [Fact]
    public void What_is_taken_again_and_again_is_held_as_long_as_that_goes_on()
    {
        for (var i = 0; i < 20; i++)
        {
            _leases.Take(DigestOf(1));
            _time.Advance(Day * 0.7);
            Assert.True(_leases.IsHeld(DigestOf(1)));
        }
    }

    [Fact]
    public void Many_take_at_once_and_all_are_held()
    {
        _time.Advance(Day);

        Parallel.For(0, 20_000, i => _leases.Take(DigestOf(i % 1000)));

        Assert.All(Enumerable.Range(0, 1000), i => Assert.True(_leases.IsHeld(DigestOf(i))));
        Assert.False(_leases.IsHeld(DigestOf(1000)));
    }

    private static Digest DigestOf(int number) => Digest.Sha256(BitConverter.GetBytes(number));
}
