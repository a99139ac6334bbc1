using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Storage;

/// <summary>What was checked is believed for a short time, and of that file alone.</summary>
public sealed class RecentChecksTests
{
    private const int Blocks = 70;

    private static readonly FileVersion Version = new(Number: 7, ChangedAt: 1000, ChangedAtNanoseconds: 5);

    private readonly ManualTime _time = new();
    private readonly RecentChecks _checks;

    public RecentChecksTests() => _checks = new RecentChecks(_time);

    [Fact]
    public void Blocks_in_a_row_count_up_to_the_first_that_was_not_checked()
    {
        foreach (var block in new[] { 31, 32, 33, 0, 64, 69, 35 })
        {
            Check(block);
        }

        Assert.Equal(3, Count(first: 31, last: 69));
        Assert.Equal(2, Count(first: 31, last: 32));
        Assert.Equal(0, Count(first: 30, last: 69));
        Assert.Equal(1, Count(first: 0, last: 69));
        Assert.Equal(1, Count(first: 69, last: 69));
    }

    [Fact]
    public void A_minute_after_the_first_block_was_checked_none_counts_any_more()
    {
        Check(0);
        _time.Advance(TimeSpan.FromSeconds(59));
        Check(1);
        Assert.Equal(2, Count(first: 0, last: 1));

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(0, Count(first: 0, last: 1));
        Check(1);
        Assert.Equal(1, Count(first: 1, last: 1));
        Assert.Equal(0, Count(first: 0, last: 1));
    }

    [Fact]
    public void Of_another_file_and_of_the_same_one_written_to_nothing_is_known()
    {
        Check(0);

        Assert.Equal(0, _checks.Count(Content(1), Version, 0, 0));
        Assert.Equal(0, _checks.Count(Content(0), Version with { Number = 8 }, 0, 0));
        Assert.Equal(0, _checks.Count(Content(0), Version with { ChangedAtNanoseconds = 6 }, 0, 0));
        Assert.Equal(1, Count(first: 0, last: 0));
    }

    [Fact]
    public void Of_many_blobs_the_oldest_are_forgotten()
    {
        for (var i = 0; i < 5000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(1));
            _checks.Add(Content(i), Version, 0, blocks: 1);
        }

        Assert.Equal(0, _checks.Count(Content(0), Version, 0, 0));
        Assert.Equal(1, _checks.Count(Content(4999), Version, 0, 0));
        Assert.InRange(Enumerable.Range(0, 5000).Sum(i => _checks.Count(Content(i), Version, 0, 0)), 1000, 2000);
    }

    [Fact]
    public async Task Many_may_ask_and_add_while_others_are_forgotten()
    {
        var contents = Enumerable.Range(0, 20_000).Select(Content).ToList();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(part => Task.Run(() =>
        {
            foreach (var content in contents.Where((_, i) => i % 4 == part))
            {
                _checks.Add(content, Version, 0, blocks: 1);
                _checks.Count(content, Version, 0, 0);
            }
        })));
    }

    private static Digest Content(int number) => TestBlob.Of(BitConverter.GetBytes(number)).Digest;

    private void Check(int block) => _checks.Add(Content(0), Version, block, Blocks);

    private int Count(int first, int last) => _checks.Count(Content(0), Version, first, last);
}
